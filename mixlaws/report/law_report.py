"""The law that decides, on the page: its formula, parameters, fits and the slopes of its lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mixlaws.laws.overall import OVERALL
from mixlaws.presentation import MINUS, format_loss
from mixlaws.report.blocks import Finding, PageTable
from mixlaws.report.tables import ABSENT
from mixlaws.results import HELD_OUT

SIGNIFICANT = 0.05
"""Slopes are said to differ below this chance."""
REGRESSOR_WORDS = {"num_params": "parameters", "tokens": "tokens", "compute": "FLOPs"}
LEADS = {
    "nested": (
        "The nested pipeline decides. A step law L(D) = E + B / D^β is fitted to each run, a size "
        "law L(N) = E + A / N^α to each mixture, and a mixing law to their values at the target. "
        "The parameters are those of the mixing law."
    ),
    "joint": (
        "Joint laws decide: one law in parameters N, tokens D and shares r, "
        "L = c + M(r) + (P + Q)^k with P = exp(u·r) n^−a and Q = exp(v·r) n^−d s^−b, where n and s "
        "are N and D over their references. The prediction is the mean of its forms, each fitted "
        "to all runs at once."
    ),
    "loglog": (
        "Log-log lines decide. ln L is a straight line in the logarithms of parameters and tokens. "
        "All mixtures share its slopes, and each mixture has an offset of its own. A mixing law is "
        "fitted to the losses that the lines reach at the target; the parameters are its own. The "
        "lines have no irreducible loss, so they predict too low a loss far from the runs."
    ),
}
"""What decides, by pipeline."""
POINT_LEAD = (
    "The mixing law decides alone: it is fitted to the losses of the mixtures at the size and "
    "tokens of the runs, and nothing is extrapolated."
)


def parameter_tables(record: Mapping[str, Any]) -> list[PageTable]:
    """Return the parameters in law.json: a table per law, a row per validation domain."""
    return [_parameter_table(law, record) for law in record["laws"]]


def _parameter_table(law: Mapping[str, Any], record: Mapping[str, Any]) -> PageTable:
    columns: list[tuple[str, dict[str, float]]] = []
    for name, by_row in law["parameters"].items():
        first = next(iter(by_row.values()))
        if isinstance(first, Mapping):
            for domain in record["domains"]:
                values = {row: each[domain] for row, each in by_row.items()}
                columns.append((f"{name}, {domain}", values))
        else:
            columns.append((name, by_row))
    names = record["validation_domains"]
    rows = [[row, *(f"{values[row]:.4g}" for _, values in columns)] for row in names]
    caption = f"Parameters of the law {law['name']} (laws/law.json), rounded to four digits."
    header = ["validation domain", *(name for name, _ in columns)]
    return PageTable(caption, header, rows, folded=len(columns) > 6 or len(rows) > 8)


def fit_table(residuals: pd.DataFrame, record: Mapping[str, Any]) -> PageTable:
    """Return the root mean square errors by size: in-sample and on held-out mixtures.

    `residuals` is the table of the figure of that name, `record` law.json. Where a mixing law is
    fitted to extrapolated losses, its residuals there come last.
    """
    has_mixing = record["pipeline"]["name"] != "joint"
    squares = (residuals["predicted"] - residuals["observed"]) ** 2
    table = residuals.assign(square=squares)
    sizes = list(dict.fromkeys(table["size"].astype(str)))
    rows = []
    for domain, part in table.groupby("validation_domain", sort=False):
        cells = [str(domain)]
        for kind in ("fitted", HELD_OUT):
            for size in sizes:
                found = part.loc[(part["kind"] == kind) & (part["size"].astype(str) == size)]
                cells.append(f"{np.sqrt(found['square'].mean()):.4f}" if len(found) else ABSENT)
        rows.append([*cells, f"{record['noise'][str(domain)]:.4f}"] if has_mixing else cells)
    header = ["validation domain", *(f"in-sample, size {size}" for size in sizes)]
    header += [f"held-out mixtures, size {size}" for size in sizes]
    header += ["mixing law at the target"] if has_mixing else []
    caption = "Root mean square errors of the law that decides, all checkpoints fitted, nats."
    return _without_empty(PageTable(caption, header, rows, folded=len(rows) > 12))


def _without_empty(table: PageTable) -> PageTable:
    """Return a table without the columns that hold nothing."""
    kept = [
        place
        for place, _ in enumerate(table.header)
        if any(row[place] != ABSENT for row in table.rows)
    ]
    rows = [[row[place] for place in kept] for row in table.rows]
    header = [table.header[place] for place in kept]
    return PageTable(table.caption, header, rows, table.num_text_columns, table.folded)


def slope_findings(tests: pd.DataFrame | None) -> Iterator[Finding]:
    """Say whether the slopes of the overall loss differ between mixtures, per regressor."""
    if tests is None:
        return
    for row in tests[tests["validation_domain"] == OVERALL].to_dict("records"):
        word = REGRESSOR_WORDS[row["regressor"]]
        low, high, mean = (f"{row[name]:.3f}" for name in ("lowest", "highest", "mean"))
        spread = f"from {low} to {high} (mean {mean})".replace("-", MINUS)
        said = (
            f"Slopes of ln loss in ln {word}, overall loss: {row['num_mixtures']} mixtures have "
            f"slopes {spread}."
        )
        if pd.isna(row["p"]):
            yield Finding(
                "caution",
                f"{said} These runs cannot test whether the slope is common: it takes one more "
                "size.",
            )
        elif row["p"] < SIGNIFICANT:
            yield Finding(
                "caution",
                f"{said} They differ by more than the noise of runs (F test, p = {row['p']:.2g}): "
                "the lines' assumption of one slope does not hold.",
            )
        else:
            yield Finding(
                "good",
                f"{said} That is within the noise of runs (F test, p = {row['p']:.2g}): one common "
                "slope is compatible with them.",
            )


def slope_table(tests: pd.DataFrame | None, lines: pd.DataFrame | None) -> PageTable | None:
    """Return the common slopes and the test of each regressor; None without lines.

    `tests` and `lines` are slope_tests.csv and line_law.csv.
    """
    if tests is None or lines is None or tests.empty:
        return None
    common = lines.drop_duplicates("validation_domain").set_index("validation_domain")
    rows = []
    for row in tests.to_dict("records"):
        domain, column = str(row["validation_domain"]), f"slope_{row['regressor']}"
        shared = common[column].to_dict() if column in common else {}
        rows.append(
            [
                f"ln {REGRESSOR_WORDS[row['regressor']]}",
                domain,
                _slope(shared[domain]) if domain in shared else ABSENT,
                *(_slope(row[name]) for name in ("lowest", "mean", "highest", "sd")),
                *(ABSENT if pd.isna(row[name]) else f"{row[name]:.3g}" for name in ("f", "p")),
            ]
        )
    header = ["regressor", "validation loss", "slope of the lines", "lowest own slope", "mean"]
    header += ["highest", "sd over mixtures", "F", "p"]
    caption = (
        "Slopes of ln loss, and an F test of whether all mixtures share one. The noise is the "
        "scatter between the runs of different sizes."
    )
    return PageTable(caption, header, rows, num_text_columns=2, folded=len(rows) > 16)


def _slope(value: float) -> str:
    return f"{value:.4f}".replace("-", MINUS)


def line_table(lines: pd.DataFrame | None, domains: Sequence[str]) -> PageTable | None:
    """Return the offset of each mixture's lines, with its sd; None without lines."""
    if lines is None or lines.empty:
        return None
    known = [domain for domain in domains if domain in set(lines["validation_domain"])]
    loss = lines.pivot(index="mixture", columns="validation_domain", values="loss")[known]
    deviation = lines.pivot(index="mixture", columns="validation_domain", values="log_sd")[known]
    rows = [
        [
            str(mixture),
            *(
                f"{format_loss(value)} ± {100 * sd:.1f} %"
                for value, sd in zip(row, deviation.loc[mixture], strict=True)
            ),
        ]
        for mixture, row in zip(loss.index, loss.to_numpy(), strict=True)
    ]
    caption = (
        "Offsets of the log-log lines: exp(offset) is the loss of each mixture at the target in "
        "nats, with one standard deviation."
    )
    return PageTable(caption, ["mixture", *known], rows, folded=len(rows) > 12)
