"""What the page says of the forward folds: the pipeline, its reason, how far intervals hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mixlaws.presentation import format_level
from mixlaws.report.blocks import Finding


def forward_findings(choice: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what choice.json holds of the pipeline that decides, in sentences."""
    reason = choice["reasons"]["pipeline"]
    yield Finding("plain", f"Chosen: {choice['pipeline']}. {reason[:1].upper()}{reason[1:]}.")
    for name, why in choice["failed"].items():
        yield Finding("plain", f"The {name} pipeline could not be used: {why}.")
    if not choice["folds"]:
        return
    coverage = choice["fold_coverage"]
    if coverage["observed"] is not None:
        level, held = format_level(coverage["level"]), format_level(coverage["observed"])
        tone = "plain" if coverage["observed"] >= coverage["level"] - 0.1 else "caution"
        yield Finding(
            tone, f"{level} intervals hold {held} of the errors on this experiment's own folds."
        )
