"""The report page: one self-contained HTML file, read from the results folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixlaws import __version__
from mixlaws.laws.overall import OVERALL
from mixlaws.presentation import format_loss, format_mixture
from mixlaws.report import findings
from mixlaws.report import tables as report_tables
from mixlaws.report.blocks import write_page
from mixlaws.report.data import PageData
from mixlaws.report.explore.payload import make_explorer
from mixlaws.report.sections import SECTIONS
from mixlaws.results import Results


def write_report(results: str | Path, config: Mapping[str, Any], output: str | Path) -> None:
    """Write the page of an experiment whose figures are drawn.

    `config` is complete. Raises DataError for a file that every experiment has and this one lacks;
    a stage that is off leaves its part of the page out.
    """
    found = PageData(Results(results), config)
    sections = [build(found) for build in SECTIONS]
    shown = _summary(found) | {"explorer": make_explorer(found)}
    write_page(shown, [section for section in sections if section], output)


def _summary(found: PageData) -> dict[str, Any]:
    """Return what the first screen says."""
    optimum = found.optimum
    overall = optimum["predicted"][OVERALL]
    weights = {d: s for d, s in found.weights.items() if s > 0}
    return {
        "experiment": found.config["experiment"],
        "mixture": format_mixture(optimum["proportions"]),
        "target": findings.scale_words(optimum["target"]),
        "weights": format_mixture(weights),
        "loss": format_loss(overall["value"]),
        "interval": findings.interval_words(overall, optimum["level"], "loss"),
        "shares": _bars(optimum),
        "verdict": findings.verdict(optimum, found.confirmation),
        "gains": findings.gain_findings(optimum),
        "meaning": findings.meaning(optimum),
        "flatness": findings.flatness(optimum),
        "tables": [
            report_tables.share_table(optimum, optimum["level"]),
            report_tables.gain_table(optimum),
        ],
        "version": __version__,
    }


def _bars(optimum: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each domain's share and interval in percent, as numbers to draw with."""
    bars = []
    for domain, share in optimum["proportions"].items():
        low, high = optimum["intervals"][domain]
        percent = {"share": 100 * share, "low": 100 * low, "width": 100 * (high - low)}
        bars.append({"domain": domain} | percent)
    return bars
