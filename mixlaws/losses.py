"""The loss, run and mixture tables: their schema, reading, writing, and the way to arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixlaws.errors import DataError
from mixlaws.fingerprints import check_records, text_fingerprint
from mixlaws.mixtures import Mixture
from mixlaws.observations import Observations
from mixlaws.runtime import atomic_path, file_sha256, read_json
from mixlaws.schedule import make_schedule

LOSS_COLUMNS = (
    "size",
    "mixture",
    "seed",
    "step",
    "tokens",
    "validation_domain",
    "loss",
    "accuracy",
    "bits_per_byte",
)
RUN_KEY = ["size", "mixture", "seed"]
SCHEDULE_COLUMNS = ["schedule", "warmup_steps", "schedule_horizon", "final_rate", "decay_share"]
RUN_COLUMNS = (
    *RUN_KEY,
    "num_layers",
    "model_width",
    "num_heads",
    "num_params",
    "vocabulary_size",
    "flops_per_token",
    "schedule",
    "warmup_steps",
    "schedule_horizon",
    "final_rate",
    "decay_share",
    "batch_tokens",
    "num_steps",
    "tokens",
    "flops",
    "training_version",
)


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV or, by suffix, Parquet; atomically, and losses to their last bit."""
    with atomic_path(path) as temporary:
        if Path(path).suffix == ".parquet":
            table.to_parquet(temporary, index=False, write_page_checksum=True)
        else:
            table.to_csv(temporary, index=False)


# A name or a digest of digits alone is no number.
_TEXT_COLUMNS = dict.fromkeys(
    [
        *("size", "mixture", "id", "sha256", "text_fingerprint"),
        *(f"fingerprint_{part}" for part in ("source", "filter", "tokenizer", "version")),
    ],
    str,
)


def read_table(path: str | Path, columns: Iterable[str]) -> pd.DataFrame:
    """Read a CSV or Parquet table; raise DataError when it or a column is missing."""
    path = Path(path)
    if not path.exists():
        raise DataError(
            f"{path} must exist, but there is no such file: run the rule that writes it"
        )
    if path.suffix == ".parquet":
        table = _read_parquet(path)
    else:
        table = pd.read_csv(path, dtype=_TEXT_COLUMNS)
    if missing := [column for column in columns if column not in table]:
        raise DataError(
            f"{path} must have the columns {', '.join(columns)}, but {', '.join(missing)} are "
            f"missing (found {', '.join(table.columns)}): delete it and rerun its rule"
        )
    return table


# What pyarrow and pandas raise, between them, for a file with flipped bits.
_DAMAGED = (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, MemoryError)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path, page_checksum_verification=True)
    except _DAMAGED as error:
        raise DataError(
            f"{path} must be what was written, but it is damaged ({error}): delete it and rerun "
            "the rule that writes it"
        ) from error


def read_losses(path: str | Path) -> pd.DataFrame:
    """Read a loss table; raise DataError on repeated keys or a loss that is no number."""
    table = read_table(path, LOSS_COLUMNS[:7])
    key = [*RUN_KEY, "step", "validation_domain"]
    if repeated := int(table.duplicated(key).sum()):
        raise DataError(f"{path} must hold each of {key} once, but {repeated} rows repeat one")
    if bad := int((~np.isfinite(table["loss"])).sum()):
        raise DataError(
            f"{path} must hold finite losses, but {bad} rows are not: see those runs' logs"
        )
    return table


def verify_losses(paths: Sequence[str | Path], records: Sequence[str | Path]) -> None:
    """Raise DataError naming every loss file that is not the one its run wrote."""
    changed = [
        str(path)
        for path, record in zip(paths, records, strict=True)
        if read_json(record).get("losses_sha256") != file_sha256(path)
    ]
    if changed:
        raise DataError(
            f"a loss file must have the sha256 that the run.json beside it records, but "
            f"{', '.join(changed)} {'has' if len(changed) == 1 else 'have'} another: delete the "
            "folder of each and rerun, which trains these runs again"
        )


def collect_losses(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Join the loss files of many runs into one table, sorted by run, step and domain."""
    table = pd.concat([read_losses(path) for path in paths], ignore_index=True)
    key = [*RUN_KEY, "step", "validation_domain"]
    return table[list(LOSS_COLUMNS)].sort_values(key, ignore_index=True)


def collect_runs(
    records: Sequence[str | Path], timings: Sequence[str | Path], domains: Sequence[str]
) -> pd.DataFrame:
    """Join run.json and timing.json of many runs into one row a run, r_ columns in this order.

    Raises DataError when they saw different text, naming what differs.
    """
    rows = []
    found = [read_json(path) for path in records]
    check_records(found)
    for record, timing in zip(found, map(read_json, timings), strict=True):
        row = {column: record[column] for column in RUN_COLUMNS}
        row |= {name: timing[name] for name in ("seconds", "tokens_per_second")}
        row["text_fingerprint"] = text_fingerprint(record)
        row |= {f"r_{domain}": record["proportions"][domain] for domain in domains}
        rows.append(row)
    return pd.DataFrame(rows).sort_values(RUN_KEY, ignore_index=True)


def mixture_table(mixtures: Sequence[Mixture]) -> pd.DataFrame:
    """Return one row a mixture: id, kind, r_<domain>..."""
    rows = [
        {"id": m.id, "kind": m.kind} | {f"r_{d}": r for d, r in m.proportions.items()}
        for m in mixtures
    ]
    return pd.DataFrame(rows)


def make_observations(losses: pd.DataFrame, runs: pd.DataFrame) -> Observations:
    """Return the tables as arrays, one row per (run, step).

    Training domains come in the order of the r_ columns of `runs`, validation domains in order of
    appearance. Raises DataError naming every run without a record and every missing loss.
    """
    key = [*RUN_KEY, "step"]
    domains = list(dict.fromkeys(losses["validation_domain"]))
    wide = losses.pivot(index=[*key, "tokens"], columns="validation_domain", values="loss")
    wide = wide[domains].reset_index().sort_values(key, ignore_index=True)
    if incomplete := wide[wide[domains].isna().any(axis=1)][key].values.tolist():
        raise DataError(
            "losses must hold every validation domain of every (size, mixture, seed, step), but "
            f"some are missing at {incomplete}: rerun those runs"
        )
    joined = wide.merge(runs.drop(columns="tokens"), on=RUN_KEY, how="left")
    if unknown := joined[joined["num_params"].isna()][RUN_KEY].drop_duplicates().values.tolist():
        raise DataError(f"runs.csv must name every run of the losses, but {unknown} are missing")
    shares = [str(column) for column in runs if str(column).startswith("r_")]
    tokens = joined["tokens"].to_numpy(dtype=float)
    effective, annealing = _schedule_state(joined, tokens)
    return Observations(
        domains=tuple(column.removeprefix("r_") for column in shares),
        validation_domains=tuple(domains),
        size=joined["size"].to_numpy(dtype=str),
        mixture=joined["mixture"].to_numpy(dtype=str),
        seed=joined["seed"].to_numpy(dtype=int),
        step=joined["step"].to_numpy(dtype=int),
        proportions=joined[shares].to_numpy(dtype=float),
        num_params=joined["num_params"].to_numpy(dtype=float),
        compute_params=joined["flops_per_token"].to_numpy(dtype=float) / 6,
        tokens=tokens,
        effective_tokens=effective,
        annealing=annealing,
        losses=joined[domains].to_numpy(dtype=float),
    )


def schedule_of(runs: pd.DataFrame) -> dict[str, Any]:
    """Return the schedule settings that all runs share; a table without any means constant.

    Raises DataError when runs differ: points of different schedules lie on different curves.
    """
    if "schedule" not in runs:
        return {"schedule": "constant", "warmup_steps": 0}
    settings = runs[[column for column in SCHEDULE_COLUMNS if column in runs]]
    if set(settings["schedule"]) == {"constant"}:
        settings = settings[["schedule"]].assign(warmup_steps=settings.get("warmup_steps", 0))
    distinct = settings.drop_duplicates()
    if len(distinct) > 1:
        shown = [
            {name: value for name, value in row.items() if pd.notna(value)}
            for row in distinct.to_dict("records")
        ]
        raise DataError(
            f"all runs must share one learning-rate schedule to be fitted together, but there are "
            f"{len(distinct)}: {'; '.join(map(str, shown))}: keep them in experiments of their own"
        )
    row = distinct.iloc[0].to_dict()
    return {str(name): None if pd.isna(value) else value for name, value in row.items()}


def _schedule_state(rows: pd.DataFrame, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return effective tokens and annealing of each (run, step)."""
    settings = schedule_of(rows)
    if settings["schedule"] == "constant":
        return tokens, np.zeros(len(tokens))
    effective, annealing = np.empty(len(tokens)), np.empty(len(tokens))
    for _, part in rows.groupby(["num_steps", "batch_tokens"]):
        schedule = make_schedule(settings, int(part["num_steps"].iloc[0]))
        state = schedule.state(part["step"].to_numpy(), float(part["batch_tokens"].iloc[0]))
        effective[part.index], annealing[part.index] = state
    return effective, annealing


def weight_vector(weights: Mapping[str, float], validation_domains: Sequence[str]) -> np.ndarray:
    """Return s (V,): the weight of each validation domain, zero where none is given."""
    if unknown := sorted(set(weights) - set(validation_domains)):
        raise DataError(
            f"the losses must cover every weighted validation domain, but {unknown} are missing"
        )
    return np.array([weights.get(domain, 0.0) for domain in validation_domains])


def loss_rows(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the rows that a run measured as a loss table."""
    return pd.DataFrame(list(rows))[list(LOSS_COLUMNS)]
