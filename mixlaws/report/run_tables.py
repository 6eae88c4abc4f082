"""The tables of mixtures, models and runs on the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from mixlaws.laws.overall import OVERALL
from mixlaws.presentation import (
    format_count,
    format_flops,
    format_loss,
    format_seconds,
    format_share,
    table_rows,
)
from mixlaws.report.blocks import PageTable
from mixlaws.report.tables import ABSENT
from mixlaws.results import RUN_KEY

SHAPE = ["num_layers", "model_width", "num_heads"]
RUN_COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "role": ("role", str),
    "size": ("size", str),
    "mixture": ("mixture", str),
    "seed": ("seed", str),
    "state": ("status", str),
    "num_steps": ("steps", "{:,.0f}".format),
    "tokens": ("tokens", "{:,.0f}".format),
    "final": ("final overall loss", format_loss),
    "accuracy": ("final overall accuracy", format_share),
    "seconds": ("time", format_seconds),
    "tokens_per_second": ("tokens per second", "{:,.0f}".format),
    "training_version": ("training version", "{:.0f}".format),
}
"""Columns of runs.csv that the page shows: header and format of each."""


def mixture_table(mixtures: pd.DataFrame, domains: Sequence[str]) -> PageTable:
    """Return the trained mixtures with their shares."""
    rows = [
        [row["id"], row["kind"], *(format_share(row[f"r_{domain}"]) for domain in domains)]
        for _, row in mixtures.iterrows()
    ]
    caption = "The trained mixtures: share of each domain."
    return PageTable(caption, ["mixture", "kind", *domains], rows, 2, folded=len(rows) > 30)


def size_table(runs: pd.DataFrame) -> PageTable:
    """Return one row per role and size; columns that the runs lack are left out."""
    groups = runs.sort_values(["num_params", "role"]).groupby(["role", "size"], sort=False)
    columns = {
        "size": [str(size) for (_, size), _ in groups],
        "role": [str(role) for (role, _), _ in groups],
        "layers × width": _by_group(groups, SHAPE, _shape),
        "parameters N": _by_group(groups, ["num_params"], lambda g: format_count(_first(g))),
        "runs": [f"{len(group)}" for _, group in groups],
        "tokens per run": _by_group(groups, ["tokens"], lambda g: format_count(g.max().iloc[0])),
        "schedule": _by_group(groups, ["schedule"], lambda g: str(_first(g))),
        "FLOPs, all runs": _by_group(groups, ["flops"], lambda g: format_flops(g.sum().iloc[0])),
        "time, all runs": _by_group(groups, ["seconds"], lambda g: format_seconds(g.sum().iloc[0])),
    }
    known = {name: cells for name, cells in columns.items() if cells}
    rows = list(zip(*known.values(), strict=True))
    num_text = 3 if SHAPE[0] in runs else 2
    return PageTable("The trained models.", list(known), rows, num_text_columns=num_text)


def _by_group(groups: Any, columns: list[str], cell: Callable[[pd.DataFrame], str]) -> list[str]:
    """Return a cell per group, or an empty list if the runs lack a column."""
    if not set(columns) <= set(groups.obj):
        return []
    parts = (group[columns].dropna() for _, group in groups)
    return [ABSENT if part.empty else cell(part) for part in parts]


def _first(part: pd.DataFrame) -> Any:
    return part.iloc[0, 0]


def _shape(part: pd.DataFrame) -> str:
    layers, width, heads = (int(count) for count in part.iloc[0])
    return f"{layers} × {width}, {heads} heads"


def run_table(
    runs: pd.DataFrame, finals: pd.DataFrame, states: Mapping[tuple[Any, ...], str]
) -> PageTable:
    """Return one row per run; columns that the runs lack are left out.

    `finals` are the final overall loss (nats) and, where it was recorded, accuracy; `states` are
    the states. Both are by role, size, mixture and seed.
    """
    keys = list(runs[["role", *RUN_KEY]].itertuples(index=False, name=None))
    ends = finals.loc[keys].rename(columns={"loss": "final"}).reset_index(drop=True)
    table = runs.reset_index(drop=True).join(ends).assign(state=[states[key] for key in keys])
    known = {name: column for name, column in RUN_COLUMNS.items() if name in table}
    rows = [
        [ABSENT if pd.isna(row[name]) else form(row[name]) for name, (_, form) in known.items()]
        for row in table.to_dict("records")
    ]
    header = [words for words, _ in known.values()]
    return PageTable(f"All {len(rows)} runs.", header, rows, num_text_columns=5, folded=True)


def signal_table(signal: pd.DataFrame | None) -> PageTable | None:
    """Return spread between mixtures over noise by size, for loss and accuracy; None without."""
    if signal is None:
        return None
    overall = signal[signal["validation_domain"] == OVERALL]
    rows = [
        [
            f"{row.size}",
            f"{row.measure}",
            *(_measured(value) for value in (row.spread, row.seed_noise, row.checkpoint_noise)),
            ABSENT if pd.isna(row.ratio) else f"{row.ratio:.3g}",
        ]
        for row in table_rows(overall)
    ]
    header = ["size", "measure", "spread between mixtures", "noise between seeds"]
    header += ["noise between checkpoints", "spread over noise"]
    caption = (
        "Overall loss (nats per token) and next-token accuracy: standard deviations at the end of "
        "each size. The more the spread exceeds the noise, the better a measure tells mixtures "
        "apart."
    )
    return PageTable(caption, header, rows, num_text_columns=2)


def _measured(value: float) -> str:
    return ABSENT if pd.isna(value) else f"{value:.5f}"
