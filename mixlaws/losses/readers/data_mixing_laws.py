"""Reader of the logs of Data Mixing Laws (Ye et al., arXiv:2403.16952).

The reader's options hold everything particular to one data set: the order of its domains, shapes,
schedule and corrections.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixlaws.errors import ConfigError
from mixlaws.losses.readers.logs import (
    BASE_RUN,
    drop_incomplete,
    drop_pseudo_steps,
    drop_repeated,
    dropped_steps,
    read_log,
)
from mixlaws.losses.swarm import Swarm
from mixlaws.losses.tables import LOSS_KEY, NAMED, RUN_KEY, rescale_shares, share_columns

NAMED_RUNS = 900
"""From this number on, the authors' runs are no samples, but the default mixture or optima."""


def read_data_mixing_laws(options: Mapping[str, Any], files: Mapping[str, Path]) -> Swarm:
    """Read one data set from its verified log files.

    `options`: an entry of `published.studies`, with `vocabulary_size`, `sequence_length` and
    `sizes` of `published` (see `published.schema.yaml`). `files`: the logs by the names in
    `options["files"]`.

    Raises ConfigError for a correction that does not apply to the logs. Raises DataError for lines
    that cannot be read, contradict each other, lack a validation domain or name a mixture that does
    not sum to 1.
    """
    base_model = options["base_model"]
    logs = [read_log(files[path], size, base_model) for size, path in options["files"].items()]
    lines, pseudo = drop_pseudo_steps(pd.concat(logs, ignore_index=True))
    lines, left_out = _correct(drop_repeated(lines), options)
    lines, incomplete = drop_incomplete(lines)
    base, runs = (lines[lines["run"] == BASE_RUN], lines[lines["run"] != BASE_RUN])
    mixtures = _mixtures(runs, options["domains"], options["names"])
    losses = _losses(runs, mixtures, int(options["tokens_per_step"]))
    return Swarm(
        losses=losses,
        runs=_runs(losses, options),
        mixtures=mixtures.drop(columns="shares"),
        weights=_weights(options["validation_weights"], set(lines["validation_domain"])),
        base_losses=dict(zip(base["validation_domain"], base["loss"], strict=True)),
        dropped=pd.concat([pseudo, left_out, incomplete], ignore_index=True),
    )


def mixture_id(run: int) -> str:
    """Return the mixture id for the authors' number of a run."""
    return f"mix-{run:03d}"


def _correct(lines: pd.DataFrame, options: Mapping[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Apply the corrections in their order; return (lines, steps left out)."""
    left_out = [dropped_steps(lines[:0], "")]
    for correction in options["corrections"]:
        if not correction["enabled"]:
            continue
        where = lines["run"] == correction["run"]
        if not where.any():
            raise ConfigError(
                f"the correction {correction['name']!r} is for run {correction['run']}, which no "
                "log contains. Delete the correction from published.studies"
            )
        if correction["kind"] == "leave_out":
            left_out.append(dropped_steps(lines[where], correction["name"]))
            lines = lines[~where]
        else:
            change = {"share": _replace_share, "order": _reorder}[correction["kind"]]
            corrected = [
                change(shares, correction, options["domains"]) if hit else shares
                for shares, hit in zip(lines["shares"], where, strict=True)
            ]
            lines = lines.assign(shares=pd.Series(corrected, index=lines.index, dtype=object))
    return lines, pd.concat(left_out, ignore_index=True)


def _replace_share(
    shares: tuple[float, ...], correction: Mapping[str, Any], domains: list[str]
) -> tuple[float, ...]:
    position = domains.index(correction["domain"])
    if shares[position] != correction["published"]:
        raise ConfigError(
            f"the correction {correction['name']!r} replaces a {correction['domain']} share of "
            f"{correction['published']}, while the log has {shares[position]}. Delete or adapt the "
            "correction in published.studies"
        )
    return (*shares[:position], float(correction["corrected"]), *shares[position + 1 :])


def _reorder(
    shares: tuple[float, ...], correction: Mapping[str, Any], domains: list[str]
) -> tuple[float, ...]:
    """Read the shares in the order of domains that the correction states."""
    by_domain = dict(zip(correction["order"], shares, strict=True))
    return tuple(by_domain[domain] for domain in domains)


def _mixtures(runs: pd.DataFrame, domains: list[str], names: Mapping[str, str]) -> pd.DataFrame:
    """Return the mixture table; equal proportions get one id, from their lowest run number."""
    wrong = [shares for shares in set(runs["shares"]) if len(shares) != len(domains)]
    if wrong:
        raise ConfigError(
            f"the logs name {len(wrong[0])} proportions for {len(domains)} domains: {wrong[0]}. "
            "Correct `domains` of this study in published.studies"
        )
    table = runs.groupby("shares")["run"].min().sort_values().reset_index()
    shares = rescale_shares(
        np.array(table["shares"].tolist()), [f"run {run}" for run in table["run"]]
    )
    columns = {
        "id": [names.get(str(run), mixture_id(run)) for run in table["run"]],
        "kind": np.where(table["run"] >= NAMED_RUNS, NAMED, "sample"),
        "phase": 0,
        "until_tokens": None,
        "shares": table["shares"],
    }
    return pd.DataFrame(columns).join(pd.DataFrame(shares, columns=share_columns(domains)))


def _losses(runs: pd.DataFrame, mixtures: pd.DataFrame, tokens_per_step: int) -> pd.DataFrame:
    ids = dict(zip(mixtures["shares"], mixtures["id"], strict=True))
    table = runs.assign(
        mixture=runs["shares"].map(ids), tokens=runs["step"].astype("int64") * tokens_per_step
    )
    # Two runs of one size and mixture are two seeds.
    seed = table.groupby(["size", "mixture"])["run"].rank(method="dense").astype("int64") - 1
    columns = [*RUN_KEY, "step", "tokens", "validation_domain", "loss"]
    return table.assign(seed=seed)[columns].sort_values(LOSS_KEY, ignore_index=True)


def _runs(losses: pd.DataFrame, options: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per run: the shape and N of its size, and its schedule if it is known."""
    sizes = pd.DataFrame([_size(options, name) for name in options["files"]])
    ends = losses.groupby(RUN_KEY)[["step", "tokens"]].max().reset_index()
    runs = ends.rename(columns={"step": "num_steps"}).merge(sizes, on="size", validate="m:1")
    columns = {"vocabulary_size": options["vocabulary_size"]}
    columns |= {"batch_tokens": int(options["tokens_per_step"])}
    if schedule := options["schedule"]:
        columns |= {"schedule": "cosine", "warmup_steps": schedule["warmup_steps"]}
        columns |= {"schedule_horizon": schedule["num_steps"], "final_rate": schedule["final"]}
    return runs.assign(**columns).sort_values(RUN_KEY, ignore_index=True)


def _size(options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a size's shape, N and FLOPs per token, 6 (N + V d + L T d)."""
    size = options["sizes"][name]
    layers, width, num_params = (size[k] for k in ("num_layers", "model_width", "num_params"))
    compute_params = num_params + options["vocabulary_size"] * width
    compute_params += layers * options["sequence_length"] * width
    columns = {"size": name, "num_layers": layers, "model_width": width}
    return columns | {"num_params": num_params, "flops_per_token": 6 * compute_params}


def _weights(weights: Mapping[str, float], found: set[str]) -> dict[str, float]:
    if set(weights) != found:
        raise ConfigError(
            "validation_weights and logs have different validation domains: "
            f"{', '.join(sorted(set(weights) ^ found))} are in only one of the two. Correct "
            "validation_weights in published.studies"
        )
    total = sum(weights.values())
    return {domain: weight / total for domain, weight in weights.items()}
