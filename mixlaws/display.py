"""Numbers as people read them: rounded, with their unit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

COUNT_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))
BYTE_UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
MINUS = "\N{MINUS SIGN}"


def format_count(count: float) -> str:
    """Return a count with three significant digits: 1,228,800 as 1.23M."""
    for unit, letter in COUNT_UNITS:
        if abs(count) >= 0.9995 * unit:
            return f"{count / unit:.3g}{letter}"
    return f"{count:.3g}"


def format_bytes(count: float) -> str:
    """Return bytes with three significant digits: 3,500,000 as 3.5 MB."""
    for unit, name in BYTE_UNITS:
        if abs(count) >= 0.9995 * unit:
            return f"{count / unit:.3g} {name}"
    return f"{count:.0f} B"


def format_flops(flops: float) -> str:
    """Return floating-point operations as a power of ten: 3.71 × 10^21 in superscript."""
    if not flops > 0:
        return "0"
    exponent = math.floor(math.log10(flops))
    superscript = str(exponent).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))
    return f"{flops / 10**exponent:.2f} × 10{superscript}"


def format_seconds(seconds: float) -> str:
    """Return a duration in its natural unit: 0.42 s, 12 s, 3.5 min, 2.1 h."""
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def format_share(share: float) -> str:
    """Return a share of 1 in percent, one digit after the point: 0.664 as 66.4 %."""
    return f"{100 * share:.1f} %"


def format_loss(loss: float) -> str:
    """Return a loss in nats with three digits after the point."""
    return f"{loss:.3f}"


def format_signed(value: float) -> str:
    """Return a difference of losses in nats, with its sign."""
    return f"{value:+.3f}".replace("-", MINUS)


def format_list(items: Iterable[str]) -> str:
    """Return items as a list in words: a, b and c."""
    *first, last = list(items)
    return f"{', '.join(first)} and {last}" if first else last


def format_mixture(proportions: Mapping[str, float], num_named: int = 5) -> str:
    """Return a mixture in words, largest share first; the smallest domains together.

    A share below half a percent is not named.
    """
    ranked = sorted(proportions.items(), key=lambda item: -item[1])
    named = [item for item in ranked if item[1] >= 0.005][:num_named]
    parts = [f"{100 * share:.0f} % {domain}" for domain, share in named]
    rest = sum(proportions.values()) - sum(share for _, share in named)
    if rest >= 0.005:
        parts.append(f"{100 * rest:.0f} % of {len(ranked) - len(named)} other domains")
    return format_list(parts)
