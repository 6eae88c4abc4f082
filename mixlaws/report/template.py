"""A page from its template: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from mixlaws.files import atomic_path
from mixlaws.report.sections import Section


def write_page(
    template: str, summary: Mapping[str, Any], sections: Sequence[Section], output: str | Path
) -> None:
    """Write a page: `summary` is what the template's first screen shows, then the sections."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(template).render(summary=summary, sections=sections)
    with atomic_path(output) as temporary:
        temporary.write_text(page, encoding="utf-8")
