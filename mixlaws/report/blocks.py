"""The blocks of a page (findings, figures, tables, sections), and its rendering."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from mixlaws.figure_folder import FigureFolder
from mixlaws.files import atomic_path
from mixlaws.presentation import INKS
from mixlaws.report.explore.script import content_policy, data_link, page_script, page_style

TEMPLATE = Path(__file__).with_name("page.html.j2")
CSS_PIXELS_PER_POINT = 96 / 72


@dataclass(frozen=True)
class Finding:
    """One sentence or two for the reader."""

    tone: str
    """good, plain or caution."""
    text: str


@dataclass(frozen=True)
class PageFigure:
    """A figure as the template needs it."""

    name: str
    title: str
    caption: str
    svg: str
    """Markup without a size of its own."""
    width: float
    """Natural width in CSS pixels."""
    data: tuple[str, str] | None = None
    """File name and data: address of its table."""


@dataclass(frozen=True)
class PageTable:
    """A table as the template needs it: cells are text."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    num_text_columns: int = 1
    """The first columns, aligned left; all others hold numbers."""
    folded: bool = False
    """Whether it is long and shown only on demand."""


@dataclass(frozen=True)
class Section:
    """A part of the page under one heading; what is empty is left out."""

    id: str
    title: str
    lead: str
    findings: Sequence[Finding] = ()
    figures: Sequence[PageFigure] = ()
    tables: Sequence[PageTable] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    """Text files shown as they are, by name."""


def section_figures(folder: FigureFolder, section: str) -> list[PageFigure]:
    """Return the drawn figures of one section; raise DataError if no figures were drawn."""
    return [
        _page_figure(folder.svg_path(words["name"]), words)
        for words in folder.index()
        if words["section"] == section
    ]


def _page_figure(path: Path, words: Mapping[str, str]) -> PageFigure:
    """Return a figure with ids of its own and with the page's inks."""
    text = path.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{path.stem}-', text)
    text = re.sub(r'(href="|url\()#', rf"\1#{path.stem}-", text)
    for name, colour in INKS.items():
        text = text.replace(colour, f"var(--{name})")
    width = re.search(r'<svg[^>]* width="([0-9.]+)pt"', text)
    points = float(width.group(1)) if width else 0.0
    text = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", text, count=1)
    pixels = points * CSS_PIXELS_PER_POINT
    data = data_link(path.with_suffix(".csv"))
    return PageFigure(words["name"], words["title"], words["caption"], text, pixels, data)


def write_page(
    summary: Mapping[str, Any],
    sections: Sequence[Section],
    output: str | Path,
    template: Path = TEMPLATE,
) -> None:
    """Write one self-contained HTML file.

    `summary` fills the first screen; the sections follow. Another package may give a template of
    its own: it extends `base`, the default page, and replaces some of its blocks.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, TEMPLATE.parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    base = environment.get_template(TEMPLATE.name)
    script = page_script()
    page = environment.get_template(template.name).render(
        summary=summary,
        sections=sections,
        base=base,
        script=script,
        policy=content_policy(script),
        style=page_style(),
    )
    with atomic_path(output) as temporary:
        temporary.write_text(page, encoding="utf-8")
