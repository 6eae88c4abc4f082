"""The page of continual pre-training, and its answer for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mixlaws import __version__
from mixlaws.files import read_json
from mixlaws.presentation import (
    format_count,
    format_loss,
    format_share,
    in_ascii,
    table_rows,
)
from mixlaws.report import continual_words as words
from mixlaws.report import provenance_tables
from mixlaws.report.blocks import PageTable, Section, section_figures, write_page
from mixlaws.report.summary import as_lines, check_finished
from mixlaws.report.tables import settings_table
from mixlaws.report.text import accounting_table
from mixlaws.results import Results
from mixlaws.tables import read_table

TEMPLATE = Path(__file__).with_name("continual.html.j2")


class ContinualResults:
    """The results of continual pre-training as its page reads them."""

    def __init__(self, folder: str | Path, config: Mapping[str, Any]) -> None:
        self.results = Results(folder)
        self.config = config
        self.folder = Path(folder) / "continual"
        self.answer: dict[str, Any] = read_json(self.folder / "critical.json")
        path = self.folder / "verification.json"
        record = read_json(path) if path.exists() else {"losses": {}}
        self.verification: dict[str, Any] | None = record if record["losses"] else None

    @property
    def is_asked(self) -> bool:
        """Return whether a verification was asked for."""
        return bool(self.config["continual"]["verify"])

    def table(self, name: str, *columns: str) -> pd.DataFrame:
        """Return one of the tables."""
        return read_table(self.folder / f"{name}.csv", columns)


def write_continual_report(
    results: str | Path, config: Mapping[str, Any], output: str | Path
) -> None:
    """Write the page of an experiment with `continual` whose figures are drawn.

    `config` is complete. Raises DataError if a table is missing.
    """
    found = ContinualResults(results, config)
    sections = [build(found) for build in SECTIONS]
    write_page(_summary(found), [each for each in sections if each], output, TEMPLATE)


def _summary(found: ContinualResults) -> dict[str, Any]:
    answer = found.answer
    check = words.verification_finding(found.verification, answer, found.is_asked)
    return {
        "experiment": found.config["experiment"],
        "headline": words.headline(answer),
        "lead": [words.lead(answer)],
        "verdict": check,
        "findings": [words.base_finding(answer), words.knee_finding(answer)],
        "limits": [words.advice(answer), words.seed_finding(answer), words.target_finding(answer)],
        "tables": [critical_table(found)],
        "version": __version__,
    }


def critical_table(found: ContinualResults) -> PageTable:
    """Return the critical proportion by size and tokens, with each form's."""
    answer, rows = found.answer, []
    forms = {"exponential": "exponential", "power": "power", "log_quadratic": "log-quadratic"}
    for row in table_rows(found.table("critical", "size", "tokens", "value", *forms)):
        bounds = {"lower": _none(row.lower), "upper": _none(row.upper)}
        cells = [_share(getattr(row, form)) for form in forms]
        interval = words.interval_words(answer | bounds).split("interval ")[1]
        rows.append([row.size, format_count(row.tokens), _share(row.value), interval, *cells])
    header = ["size", "tokens", "critical share", "interval", *forms.values()]
    caption = (
        "The least share of the original data whose predicted loss is at or below that of the "
        "base; the interval holds all three forms."
    )
    return PageTable(caption, header, rows, 1)


def _none(value: float) -> float | None:
    return None if value == float("inf") else value


def _share(value: float) -> str:
    return {0.0: "every", float("inf"): "none"}.get(value) or format_share(value)


def continual_section(found: ContinualResults) -> Section:
    """Return the laws over the share, the trade-off and every validation domain."""
    rows = []
    for row in table_rows(found.table("domains", "validation_domain", "weight", "base", "value")):
        cells = [format_loss(loss) for loss in (row.base, row.at_least, row.at_most)]
        own = "" if pd.isna(row.value) else _share(row.value)
        weight = format_share(row.weight) if row.weight else ""
        rows.append([row.validation_domain, weight, *cells, own])
    least, most = (format_share(share) for share in found.answer["trained"])
    header = ["validation domain", "weight in the loss to preserve", "loss of the base"]
    header += [f"at {least} original data", f"at {most}", "its own critical share"]
    return Section(
        "continual",
        "How much of the original data to replay",
        "Every run continues the base of its size and seed, on the original and the new data in "
        "some proportion.",
        [words.advice(found.answer), words.knee_finding(found.answer)],
        section_figures(found.results.figures, "continual"),
        [PageTable("The mixing law of each validation domain, at the end.", header, rows)],
    )


def scale_section(found: ContinualResults) -> Section | None:
    """Return how the critical proportion moves with tokens and size, if there are several."""
    figures = section_figures(found.results.figures, "scale")
    if not figures:
        return None
    return Section(
        "scale",
        "How the critical proportion moves",
        "One law for all sizes and numbers of tokens: the loss above the base's is "
        "a + b exp(-t r), with a and b linear in log D and log N.",
        [words.target_finding(found.answer)],
        figures,
    )


def provenance_section(found: ContinualResults) -> Section:
    """Return the text, versions, digests and the config."""
    accounting = found.results.accounting
    origin = provenance_tables.origin(found.results)
    return Section(
        "provenance",
        "Provenance",
        "What made this page. The same config and versions give the same numbers.",
        tables=[
            *([] if accounting is None else [accounting_table(accounting)]),
            settings_table("Versions, command and digests.", origin),
            settings_table("The config, with all defaults.", found.config),
        ],
    )


SECTIONS = (continual_section, scale_section, provenance_section)


def summarise_continual(folder: str | Path, config: Mapping[str, Any]) -> str:
    """Return the critical proportion, the verification and the knee as text.

    `config` is complete. Raises DataError if the experiment has no results yet.
    """
    check_finished(Path(folder), Path(folder) / "continual" / "critical.json")
    found = ContinualResults(folder, config)
    head = f"{config['experiment']}: {words.headline(found.answer)}"
    return in_ascii(as_lines(head, list(_rows(found))))


def _rows(found: ContinualResults) -> Iterator[tuple[str, str]]:
    answer = found.answer
    model = (
        f"{format_count(answer['num_params'])} parameters, {format_count(answer['tokens'])} tokens"
    )
    yield "for", f"{model}; {words.interval_words(answer)}"
    yield "check", words.verification_finding(found.verification, answer, found.is_asked).text
    yield "base", words.base_finding(answer).text
    yield "knee", words.knee_finding(answer).text
    yield "target", words.target_finding(answer).text
    yield "page", str(found.results.folder / "report.html")
