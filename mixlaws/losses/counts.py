"""Sizes and numbers of tokens as people write them: 1B, 100B tokens, a label of the runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mixlaws.errors import ConfigError
from mixlaws.presentation import COUNT_UNITS, format_count

_COUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([KMBT]?)", re.IGNORECASE)
_UNITS = {letter: unit for unit, letter in COUNT_UNITS}


def parse_count(text: str | float) -> float | None:
    """Return 1e9 for "1B", "1000M" or 1_000_000_000, and None for text that is no count."""
    if not isinstance(text, str):
        return float(text)
    found = _COUNT.fullmatch(text.replace("_", "").replace(",", "").strip())
    if found:
        return float(found[1]) * _UNITS.get(found[2].upper(), 1.0)
    try:
        return float(text)
    except ValueError:
        return None


def size_of(
    label: str | float, counts: Mapping[str, float], place: str = "target.size"
) -> tuple[str, float]:
    """Return a target's label and its N: a label of the runs' sizes (N by label), or a count.

    Raises ConfigError, which names the `place` of the label, if it is neither.
    """
    if isinstance(label, str) and label in counts:
        return label, float(counts[label])
    number = parse_count(label)
    if number is None:
        raise ConfigError(
            f"{place} is {label!r}, which is no label of the runs' sizes "
            f"({', '.join(counts)}) and no number. State a number such as 1B"
        )
    for name, count in counts.items():
        if count == number:
            return name, number
    return (label if isinstance(label, str) else format_count(number)), number


def parse_target(text: str | None) -> dict[str, Any]:
    """Return the target that SIZE or SIZE:TOKENS states, as 1B:100B; empty without a text.

    Raises ConfigError if the tokens are no count.
    """
    size, colon, tokens = (text or "").partition(":")
    count = parse_count(tokens) if colon else None
    if colon and not count:
        raise ConfigError(f"the target is {text!r}. Write it as SIZE:TOKENS, as 1B:100B")
    stated = {"size": size.strip() or None, "tokens": _whole(count) if count else None}
    return {name: value for name, value in stated.items() if value is not None}


def _whole(count: float) -> float:
    return int(count) if count.is_integer() else count
