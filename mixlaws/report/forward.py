"""What the page says of the forward folds: the pipeline, its reason, how far intervals hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mixlaws.presentation import SPACE
from mixlaws.report.blocks import Finding


def forward_findings(choice: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what choice.json holds of the pipeline that decides, in sentences."""
    reason = choice["reasons"]["pipeline"]
    yield Finding("plain", f"Chosen: {choice['pipeline']}. {reason[:1].upper()}{reason[1:]}.")
    for name, why in choice["failed"].items():
        yield Finding("plain", f"The {name} pipeline could not be used: {why}.")
    if not choice["folds"]:
        return
    for direction, measured in choice["measured"].items():
        if not measured:
            yield Finding(
                "caution",
                f"Growth of the error towards {direction}: not measured here; taken from public "
                "runs.",
            )
    coverage = choice["fold_coverage"]
    if coverage["observed"] is not None:
        level, held = (f"{100 * coverage[key]:.0f}{SPACE}%" for key in ("level", "observed"))
        tone = "plain" if coverage["observed"] >= coverage["level"] - 0.1 else "caution"
        yield Finding(
            tone, f"{level} intervals hold {held} of the errors on this experiment's own folds."
        )
