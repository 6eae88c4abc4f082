"""Collect the loss files and records of our own runs into the tables of a swarm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mixlaws.errors import DataError
from mixlaws.files import file_sha256, read_json
from mixlaws.losses.fingerprints import check_records, text_fingerprint
from mixlaws.losses.planned import check_runs_planned
from mixlaws.losses.tables import LOSS_COLUMNS, LOSS_KEY, RUN_COLUMNS, RUN_KEY, read_losses
from mixlaws.runs.run import RUN_DEFAULTS
from mixlaws.tables import write_table


def collect_losses(
    losses: Sequence[str | Path],
    records: Sequence[str | Path],
    timings: Sequence[str | Path],
    outputs: Mapping[str, str | Path],
    *,
    planned: Sequence[Sequence[Any]],
) -> None:
    """Join losses.csv, run.json and timing.json of many runs into a loss table and a run table.

    `outputs` are losses, runs and, for runs that started from a model, initial: losses at step 0
    are those of that model and lie on no curve of the run. `planned` holds the size, mixture and
    seed of each run in the sweep. Raises DataError if a loss file changed after its run, if the
    runs saw different text, or if the records or the losses are of other runs than the planned.
    """
    verify_losses(losses, records)
    runs, table = join_runs(records, timings), join_losses(losses)
    check_runs_planned(runs, planned, "the run.json files")
    check_runs_planned(table.drop_duplicates(RUN_KEY), planned, "the losses.csv files")
    is_initial = table["step"] == 0
    if "initial" in outputs:
        write_table(table[is_initial].reset_index(drop=True), outputs["initial"])
    write_table(table[~is_initial].reset_index(drop=True), outputs["losses"])
    write_table(runs, outputs["runs"])


def verify_losses(paths: Sequence[str | Path], records: Sequence[str | Path]) -> None:
    """Raise DataError naming every loss file that changed after its run."""
    changed = [
        str(path)
        for path, record in zip(paths, records, strict=True)
        if read_json(record).get("losses_sha256") != file_sha256(path)
    ]
    if changed:
        raise DataError(
            f"{len(changed)} loss files changed after their runs: the sha256 differs from the one "
            f"in run.json beside {', '.join(changed)}. Delete the folders of these runs and rerun "
            "to train them again"
        )


def join_losses(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Join the loss files of many runs into one table, sorted by run, step and domain."""
    table = pd.concat([read_losses(path) for path in paths], ignore_index=True)
    return table[list(LOSS_COLUMNS)].sort_values(LOSS_KEY, ignore_index=True)


def join_runs(records: Sequence[str | Path], timings: Sequence[str | Path]) -> pd.DataFrame:
    """Join run.json and timing.json of many runs into a table with one row per run.

    The proportions are in mixtures.csv and not repeated here. Raises DataError naming the
    differences if the runs saw different text.
    """
    rows = []
    found = [read_json(path) for path in records]
    check_records(found)
    for record, timing in zip(found, map(read_json, timings), strict=True):
        # The record of an earlier version lacks the options that came later.
        row = {column: (RUN_DEFAULTS | record)[column] for column in RUN_COLUMNS}
        row |= {name: timing[name] for name in ("seconds", "tokens_per_second")}
        initial = record.get("initial_weights", "")[:12]
        rows.append(row | {"initial": initial, "text_fingerprint": text_fingerprint(record)})
    return pd.DataFrame(rows).sort_values(RUN_KEY, ignore_index=True)
