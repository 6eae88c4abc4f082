"""The report page: one self-contained HTML file, read from the results folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixlaws.report.blocks import write_page
from mixlaws.report.data import PageData
from mixlaws.report.explore.payload import make_explorer
from mixlaws.report.first_screen import summary
from mixlaws.report.sections import SECTIONS
from mixlaws.results import Results


def write_report(results: str | Path, config: Mapping[str, Any], output: str | Path) -> None:
    """Write the page of an experiment whose figures are drawn.

    `config` is complete. Raises DataError for a file that every experiment has and this one lacks;
    a stage that is off leaves its part of the page out.
    """
    found = PageData(Results(results), config)
    sections = [build(found) for build in SECTIONS]
    shown = summary(found) | {"explorer": make_explorer(found)}
    write_page(shown, [section for section in sections if section], output)
