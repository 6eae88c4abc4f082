"""Parse the logs of Data Mixing Laws into one row per (size, run, step, validation domain).

A line is `<checkpoint path> <validation .bin path> <loss>`. The last component of the checkpoint
path is the step. The one before it names the run: `<tag>_<number>-<r_1>-...-<r_K>`.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import pandas as pd

from mixlaws.errors import DataError

RUN_NAME = re.compile(r"(?:.*_)?(?P<run>\d+)-(?P<shares>\d*\.?\d+(?:-\d*\.?\d+)+)")
BASE_RUN = -1
"""Run number of the model that training continued from, which has no mixture."""
KEY = ["size", "run", "step", "validation_domain"]
COLUMNS = [*KEY, "shares", "loss"]


def read_log(path: Path, size: str, base_model: str | None = None) -> pd.DataFrame:
    """Read one log file into columns size, run, step (NaN for `last`), validation_domain, shares
    (tuple of K numbers, as written), loss (nats per token).

    Raises DataError naming file and line if a line does not consist of three fields with a readable
    run, step and loss.
    """
    rows = []
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                rows.append((size, *_parse(line, f"{path}:{number}", base_model)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _parse(line: str, where: str, base_model: str | None) -> tuple[object, ...]:
    fields = line.split()
    if len(fields) != 3:
        raise DataError(
            f"{where} has {len(fields)} fields instead of 3 (checkpoint, validation file, loss): "
            f"{line.strip()[-80:]!r}. The file is truncated or corrupt. Download it again"
        )
    run, step, shares = _parse_checkpoint(fields[0], where, base_model)
    try:
        loss = float(fields[2])
    except ValueError:
        loss = math.nan
    if not (math.isfinite(loss) and loss > 0):
        raise DataError(
            f"{where} has the loss {fields[2]!r}, which is not a positive number. The file is "
            "corrupt. Download it again"
        )
    return run, step, _validation_domain(fields[1]), shares, loss


def _parse_checkpoint(
    path: str, where: str, base_model: str | None
) -> tuple[int, float, tuple[float, ...]]:
    parts = path.rstrip("/").split("/")
    if parts[-1] == base_model:
        return BASE_RUN, 0, ()
    name = RUN_NAME.fullmatch(parts[-2]) if len(parts) > 1 else None
    if name is None or not (parts[-1].isdigit() or parts[-1] == "last"):
        raise DataError(
            f"{where} has a checkpoint path that does not end in "
            f"<tag>_<number>-<proportions>/<step>: {'/'.join(parts[-2:])!r}. The file is corrupt, "
            "or its study in published.studies lacks a `base_model`. Download the file again, or "
            "add the key"
        )
    step = math.nan if parts[-1] == "last" else int(parts[-1])
    return int(name["run"]), step, tuple(map(float, name["shares"].split("-")))


def _validation_domain(path: str) -> str:
    """Return e.g. Github for pythia-pile.valid.Github.bin or python for x.python.valid.bin."""
    parts = path.rsplit("/", 1)[-1].removesuffix(".bin").split(".")
    return [part for part in parts if part != "valid"][-1]


def drop_pseudo_steps(lines: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Drop the steps named `last`, which repeat a numbered one; return (kept, dropped)."""
    pseudo = lines["step"].isna()
    kept = lines[~pseudo].astype({"step": "int64"})
    return kept, dropped_steps(lines[pseudo].assign(step=-1), "pseudo-step `last`")


def drop_repeated(lines: pd.DataFrame) -> pd.DataFrame:
    """Drop repeated lines; raise DataError listing keys with several losses or mixtures."""
    lines = lines.drop_duplicates([*KEY, "shares", "loss"])
    conflicting = lines[lines.duplicated(KEY, keep=False)].sort_values(KEY)
    if len(conflicting):
        listed = "; ".join(
            f"{row.size} run {row.run} step {row.step} {row.validation_domain}: {row.loss!r}"
            for row in conflicting.head(6).itertuples(index=False, name="Line")
        )
        raise DataError(
            f"{len(conflicting)} lines contradict each other: they give one (size, run, step, "
            f"validation domain) several losses or mixtures: {listed}. Delete the wrong lines, or "
            "download the files again"
        )
    return lines


def drop_incomplete(lines: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Drop every (run, step) with fewer validation domains than the run has at other steps.

    Returns (kept, dropped).
    """
    count = lines.groupby(["size", "run", "step"])["loss"].transform("size")
    most = count.groupby([lines["size"], lines["run"]]).transform("max")
    return lines[count == most], dropped_steps(lines[count < most], "validation domains missing")


def dropped_steps(lines: pd.DataFrame, reason: str) -> pd.DataFrame:
    """Return the checkpoints of dropped lines: size, run, step, num_validation_domains, reason."""
    steps = lines.groupby(["size", "run", "step"])["validation_domain"].nunique()
    return steps.rename("num_validation_domains").reset_index().assign(reason=reason)
