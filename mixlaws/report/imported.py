"""What the page says of imported losses: where they came from, and what was changed on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from mixlaws.presentation import format_count
from mixlaws.report.blocks import Finding, PageTable, Section
from mixlaws.report.data import PageData

NUM_SHOWN = 50
"""Dropped checkpoints that the page lists; dropped.csv has all of them."""


def imported_section(found: PageData) -> Section | None:
    """Return the section on imported losses; None for runs of our own."""
    record = found.results.imported
    if record is None:
        return None
    return Section(
        "imported",
        "The losses",
        "The losses were measured elsewhere and imported. Everything that the import changed, "
        "accepted or left out is listed here.",
        findings=list(_findings(record)),
        tables=[_files_table(record), *_dropped_tables(found.results.dropped)],
    )


def _findings(record: Mapping[str, Any]) -> Iterator[Finding]:
    sizes = ", ".join(
        f"{name} (N = {format_count(count)}, checkpoints: {record['num_checkpoints'][name]})"
        for name, count in record["sizes"].items()
    )
    yield Finding(
        "plain",
        f"{record['num_losses']:,} losses of {record['num_runs']:,} runs on "
        f"{record['num_mixtures']:,} mixtures, {len(record['domains'])} domains and "
        f"{len(record['validation_domains'])} validation domains. Sizes: {sizes}.",
    )
    for remark in record["remarks"]:
        yield Finding("caution", remark)
    if record["schedule"] == "unknown":
        yield Finding(
            "caution",
            "The learning-rate schedule of the runs is not stated; the laws treat it as constant.",
        )
    if not record["knows_compute"]:
        yield Finding(
            "plain",
            "Compute is counted by N alone: no compute-equivalent N of the sizes is stated.",
        )


def _files_table(record: Mapping[str, Any]) -> PageTable:
    rows = [
        [name, file["path"], (file["sha256"] or "several files")[:16]]
        for name, file in record["files"].items()
    ]
    return PageTable(f"Files, read as {record['reader']}.", ["table", "path", "sha256"], rows, 3)


def _dropped_tables(dropped: pd.DataFrame | None) -> list[PageTable]:
    if dropped is None or dropped.empty:
        return []
    shown = dropped.head(NUM_SHOWN)
    rows = [list(map(str, row)) for row in shown.itertuples(index=False)]
    more = f" The first {NUM_SHOWN} of {len(dropped):,}; dropped.csv has all." * (
        len(dropped) > NUM_SHOWN
    )
    caption = f"Checkpoints that were left out.{more}"
    return [PageTable(caption, list(map(str, dropped)), rows, folded=len(rows) > 10)]
