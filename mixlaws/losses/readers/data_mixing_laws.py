"""Readers of published runs: the logs of Data Mixing Laws and the tables of RegMix.

A study is one data set of `published.studies` in an experiment's config; what is particular to
it (domain order, shapes, schedule, corrections) stands there and not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixlaws.errors import ConfigError, DataError
from mixlaws.losses.readers.logs import (
    BASE_RUN,
    drop_incomplete,
    drop_pseudo_steps,
    drop_repeated,
    dropped_steps,
    read_log,
)
from mixlaws.losses.studies import Study
from mixlaws.runs.schedules import Cosine

MAX_SUM_ERROR = 5e-3  # rounding of the 17 shares, three decimals each, in the RegMix tables


def read_study(published: Mapping[str, Any], name: str, files: Mapping[str, Path]) -> Study:
    """Read one study from its verified log files (`mixlaws.downloads`).

    Raises ConfigError for an unknown study or a correction that finds nothing to correct, and
    DataError for lines that cannot be read, contradict each other or name a mixture that does not
    sum to 1.
    """
    if name not in published["studies"]:
        known = ", ".join(published["studies"])
        raise ConfigError(f"published.studies must hold the study {name!r}, it has only {known}")
    study = published["studies"][name]
    base_model = study["base_model"]
    logs = [read_log(files[path], size, base_model) for size, path in study["files"].items()]
    lines, pseudo = drop_pseudo_steps(pd.concat(logs, ignore_index=True))
    lines, left_out = _correct(drop_repeated(lines), study)
    lines, incomplete = drop_incomplete(lines)
    base, runs = (lines[lines["run"] == BASE_RUN], lines[lines["run"] != BASE_RUN])
    mixtures = _mixtures(runs, study["domains"], study["names"])
    tokens_per_step = int(study["tokens_per_step"])
    return Study(
        domains=tuple(study["domains"]),
        weights=_weights(study["validation_weights"], set(lines["validation_domain"])),
        losses=_losses(runs, mixtures, tokens_per_step),
        mixtures=mixtures.drop(columns="shares"),
        sizes=_sizes(published, list(study["files"])),
        base_losses=dict(zip(base["validation_domain"], base["loss"], strict=True)),
        dropped=pd.concat([pseudo, left_out, incomplete], ignore_index=True),
        tokens_per_step=tokens_per_step,
        schedule=Cosine(**study["schedule"]) if study["schedule"] else None,
    )


def _correct(lines: pd.DataFrame, study: Mapping[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Apply the table of corrections in its order; return (lines, steps left out)."""
    left_out = [dropped_steps(lines[:0], "")]
    for correction in study["corrections"]:
        if not correction["enabled"]:
            continue
        where = lines["run"] == correction["run"]
        if not where.any():
            raise ConfigError(
                f"published.studies.*.corrections: {correction['name']!r} must find run "
                f"{correction['run']}, but no log has it: delete the correction"
            )
        if correction["kind"] == "leave_out":
            left_out.append(dropped_steps(lines[where], correction["name"]))
            lines = lines[~where]
        else:
            change = {"share": _replace_share, "order": _reorder}[correction["kind"]]
            corrected = [
                change(shares, correction, study["domains"]) if hit else shares
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
            f"correction {correction['name']!r} must find the share {correction['published']} of "
            f"{correction['domain']}, got {shares[position]}: delete or adapt the correction"
        )
    return (*shares[:position], float(correction["corrected"]), *shares[position + 1 :])


def _reorder(
    shares: tuple[float, ...], correction: Mapping[str, Any], domains: list[str]
) -> tuple[float, ...]:
    """Read the shares in the stated order of domains instead of the study's."""
    by_domain = dict(zip(correction["order"], shares, strict=True))
    return tuple(by_domain[domain] for domain in domains)


def _mixtures(runs: pd.DataFrame, domains: list[str], names: Mapping[int, str]) -> pd.DataFrame:
    """Give equal proportions one id, made from the lowest run number that has them."""
    wrong = [shares for shares in set(runs["shares"]) if len(shares) != len(domains)]
    if wrong:
        raise ConfigError(
            f"every run must name {len(domains)} proportions, one for each of the study's domains, "
            f"got {wrong[0]}: correct `domains`"
        )
    table = runs.groupby("shares")["run"].min().sort_values().reset_index()
    shares = np.array(table["shares"].tolist())
    check_sums(shares, [f"run {run}" for run in table["run"]])
    columns = pd.DataFrame(
        shares / shares.sum(axis=1, keepdims=True), columns=[f"r_{domain}" for domain in domains]
    )
    ids = [names.get(run, f"mix-{run:03d}") for run in table["run"]]
    return pd.concat([pd.DataFrame({"mixture": ids}), table, columns], axis=1)


def check_sums(shares: np.ndarray, labels: list[str]) -> None:
    """Raise DataError naming the mixtures whose shares do not sum to 1."""
    wrong = np.flatnonzero(np.abs(shares.sum(axis=1) - 1) > MAX_SUM_ERROR)
    if len(wrong):
        listed = "; ".join(f"{labels[i]}: {shares[i].sum():.6g}" for i in wrong[:10])
        raise DataError(
            f"proportions of a mixture must sum to 1 within {MAX_SUM_ERROR}, got {listed}: "
            "add a correction to the study's table of corrections"
        )


def _losses(runs: pd.DataFrame, mixtures: pd.DataFrame, tokens_per_step: int) -> pd.DataFrame:
    ids = dict(zip(mixtures["shares"], mixtures["mixture"], strict=True))
    table = runs.assign(
        mixture=runs["shares"].map(ids), tokens=runs["step"].astype("int64") * tokens_per_step
    )
    # Two runs of one size and mixture are two seeds.
    seed = table.groupby(["size", "mixture"])["run"].rank(method="dense").astype("int64") - 1
    columns = ["size", "mixture", "seed", "step", "tokens", "validation_domain", "loss"]
    return table.assign(seed=seed)[columns].sort_values(columns[:-1], ignore_index=True)


def _weights(weights: Mapping[str, float], found: set[str]) -> dict[str, float]:
    if set(weights) != found:
        raise ConfigError(
            "published.studies.*.validation_weights must name exactly the validation domains of "
            f"the logs, but {sorted(set(weights) ^ found)} stand in only one of the two"
        )
    total = sum(weights.values())
    return {domain: weight / total for domain, weight in weights.items()}


def _sizes(published: Mapping[str, Any], names: list[str]) -> pd.DataFrame:
    """Return N and the FLOPs per token / 6, N + V d + L T d, of each size."""
    rows = []
    for name in names:
        size = published["sizes"][name]
        layers, width = size["num_layers"], size["model_width"]
        head = published["vocabulary_size"] * width
        attention = layers * published["sequence_length"] * width
        rows.append((size["num_params"], size["num_params"] + head + attention))
    index = pd.Index(names, name="size")
    return pd.DataFrame(rows, index=index, columns=["num_params", "compute_params"])
