"""Compare the paper's numbers with ours: each agrees, disagrees or is not reproducible."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mixlaws.errors import ConfigError

AGREES, DISAGREES, NOT_REPRODUCIBLE = "agrees", "disagrees", "not reproducible"
COLUMNS = ("item", "quantity", "source", "paper", "ours", "tolerance", "verdict", "note")


def judge(claims: Sequence[Mapping[str, Any]], measured: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row of COLUMNS for each claim of published.claims, in their order.

    A number agrees if it is within the claim's tolerance (relative to the paper's number with
    `relative: true`); anything else agrees if it is equal. A claim with `reason` cannot be
    reproduced. Raises ConfigError for a claim without a measurement, or the reverse.
    """
    wanted = {claim["id"] for claim in claims if "reason" not in claim}
    if wanted != set(measured):
        raise ConfigError(
            "published.claims and the measured ids differ: "
            f"{sorted(wanted - set(measured)) or 'none'} are claimed and not measured, "
            f"{sorted(set(measured) - wanted) or 'none'} are measured and not claimed. Correct "
            "published.claims"
        )
    rows = []
    for claim in claims:
        row = {name: claim.get(name, "") for name in ("item", "quantity", "source", "note")}
        row["paper"] = _text(claim["value"]) if "value" in claim else ""
        if "reason" in claim:
            row |= {"ours": "", "tolerance": "", "verdict": NOT_REPRODUCIBLE}
            row["note"] = claim["reason"]
        else:
            ours = measured[claim["id"]]
            row |= {"ours": _text(ours), "tolerance": _tolerance(claim)}
            row["verdict"] = AGREES if _agree(claim, ours) else DISAGREES
        rows.append(row)
    return pd.DataFrame(rows)[list(COLUMNS)]


def _agree(claim: Mapping[str, Any], ours: Any) -> bool:
    value = claim["value"]
    if isinstance(value, str | bool) or isinstance(ours, str | bool):
        return bool(value == ours)
    allowed = claim["tolerance"] * (abs(value) if claim.get("relative") else 1)
    # Rounding is allowed, so that 1 + 1e-16 agrees with 1 at tolerance 0.
    return bool(math.isfinite(ours) and abs(ours - value) <= allowed + 1e-12)


def _tolerance(claim: Mapping[str, Any]) -> str:
    if "tolerance" not in claim:
        return "equal"
    if claim.get("relative"):
        return f"{100 * claim['tolerance']:g} %"
    return f"{claim['tolerance']:g}"


def _text(value: Any) -> str:
    """Format a number with six significant digits, and anything else as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, int | float) else str(value)


def count_verdicts(verdicts: pd.DataFrame) -> dict[str, int]:
    """Return how many claims have each verdict."""
    counts = verdicts["verdict"].value_counts()
    return {name: int(counts.get(name, 0)) for name in (AGREES, DISAGREES, NOT_REPRODUCIBLE)}
