"""What must hold between the keys of a config on published losses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def published_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what must hold between the keys of a config on published losses, and does not."""
    published = config["published"]
    for name, study in published["studies"].items():
        for size, path in study["files"].items():
            if path not in published["files"]:
                yield f"published.studies.{name}.files.{size}: must be in published.files: {path}"
            if size not in published["sizes"]:
                yield (
                    f"published.studies.{name}.files: must name sizes "
                    f"({', '.join(published['sizes'])}), found {size!r}"
                )
    for place, claim in enumerate(published["claims"]):
        if ("value" in claim) == ("reason" in claim):
            yield (
                f"published.claims.{place}: must have a value to compare with or else a reason, "
                f"found {'both' if 'value' in claim else 'neither'} for {claim['id']!r}"
            )
    ids = [claim["id"] for claim in published["claims"]]
    if repeated := sorted({name for name in ids if ids.count(name) > 1}):
        yield f"published.claims: must have each id once, found several of {', '.join(repeated)}"
