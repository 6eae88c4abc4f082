"""The page's only script and the policy that allows nothing else; the figures' data as links."""

from __future__ import annotations

import base64
import gzip
import hashlib
from pathlib import Path

FOLDER = Path(__file__).parent
FILES = ("core.js", "tables.js", "charts.js", "explore.js")
LARGEST_PLAIN = 100_000
"""Bytes of a CSV file that is embedded as it is; a larger one is compressed."""


def page_script() -> str:
    """Return the script that sorts and filters tables and runs the explorer."""
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in FILES)


def page_style() -> str:
    """Return the style of the explorer and of the controls of tables."""
    return (FOLDER / "explore.css").read_text(encoding="utf-8")


def content_policy(script: str) -> str:
    """Return the Content-Security-Policy: this script, inline styles, data images, no network."""
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def data_link(path: Path) -> tuple[str, str] | None:
    """Return file name and data: address of a figure's CSV; None if there is no such file."""
    if not path.exists():
        return None
    data, name, kind = path.read_bytes(), path.name, "text/csv;charset=utf-8"
    if len(data) > LARGEST_PLAIN:
        data, name, kind = gzip.compress(data, mtime=0), f"{name}.gz", "application/gzip"
    return name, f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
