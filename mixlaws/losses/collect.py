"""Collect the loss files and records of our own runs into tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mixlaws.errors import DataError
from mixlaws.files import file_sha256, read_json
from mixlaws.losses.fingerprints import check_records, text_fingerprint
from mixlaws.losses.tables import LOSS_COLUMNS, RUN_COLUMNS, RUN_KEY, read_losses


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
