"""Format numbers, mixtures and tables for people: rounded, with units, in order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import pandas as pd


def format_duration(seconds: float) -> str:
    """Return seconds as 1:02:03."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


Item = TypeVar("Item")

COUNT_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))
BYTE_UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
# Colours of text and lines in figures; the page replaces them by its own, light or dark.
INKS = {"ink": "#1c2127", "muted": "#6a7380", "grid": "#dde1e6"}
MINUS = "\N{MINUS SIGN}"
SPACE = "\N{NO-BREAK SPACE}"


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
    """Return a duration in a suitable unit: 0.42 s, 12 s, 3.5 min, 2.1 h."""
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def format_share(share: float) -> str:
    """Return a share in percent with one decimal: 0.664 as 66.4 %."""
    return f"{100 * share:.1f}{SPACE}%"


def format_level(share: float) -> str:
    """Return a share in whole percent: 0.9 as 90 %."""
    return f"{100 * share:.0f}{SPACE}%"


def format_reach(params: float, tokens: float) -> str:
    """Say how the target compares with the largest proxy, from the factors in N and in D."""
    if math.isclose(params, 1, rel_tol=0.01) and math.isclose(tokens, 1, rel_tol=0.01):
        return "The target has the size and the training tokens of the largest proxy"
    return (
        f"The target has {_times(params)}the parameters and {_times(tokens)}the tokens of the "
        "largest proxy"
    )


def _times(factor: float) -> str:
    if math.isclose(factor, 1, rel_tol=0.01):
        return ""
    return f"{factor:,.0f} times " if factor >= 1000 else f"{factor:.3g} times "


def format_loss(loss: float) -> str:
    """Return a loss in nats with three decimals."""
    return f"{loss:.3f}"


def format_signed(value: float) -> str:
    """Return a difference of losses in nats, with its sign."""
    return f"{round(value, 3) + 0.0:+.3f}".replace("-", MINUS)


def in_ascii(text: str) -> str:
    """Return text with a plain minus and plain spaces, which every terminal can show."""
    return text.replace(MINUS, "-").replace(SPACE, " ")


def ordered(mapping: Mapping[str, Item], names: Sequence[str]) -> dict[str, Item]:
    """Return a mapping in the order of `names`, with all other keys last.

    This restores the order of the config in JSON records, whose keys are sorted.
    """
    first = {name: mapping[name] for name in names if name in mapping}
    return first | {name: item for name, item in mapping.items() if name not in first}


def ordered_rows(table: pd.DataFrame, column: str, names: Sequence[str]) -> pd.DataFrame:
    """Return a table sorted by the order of `column` in `names`, with all other values last."""
    places = {name: place for place, name in enumerate(names)}
    place = table[column].map(places).fillna(len(places))
    return table.iloc[place.argsort(kind="stable")].reset_index(drop=True)


def table_rows(table: pd.DataFrame) -> Iterator[Any]:
    """Yield the rows of a table as named tuples."""
    return iter(table.itertuples())


def format_list(items: Iterable[str]) -> str:
    """Return items as a list in words: a, b and c."""
    *first, last = list(items)
    return f"{', '.join(first)} and {last}" if first else last


def format_mixture(proportions: Mapping[str, float], num_named: int = 5) -> str:
    """Return a mixture in words: the largest shares by domain, and the sum of the others.

    The percentages are integers that sum to 100. Domains that round to 0 % are not named.
    """
    percents = round_percents(list(proportions.values()))
    ranked = sorted(zip(percents, proportions, strict=True), key=lambda item: -item[0])
    named = [item for item in ranked if item[0] > 0][:num_named]
    parts = [f"{percent}{SPACE}% {domain}" for percent, domain in named]
    if rest := sum(percents) - sum(percent for percent, _ in named):
        count = len([percent for percent in percents if percent > 0]) - len(named)
        other = "1 other domain" if count == 1 else f"{count} other domains"
        parts.append(f"{rest}{SPACE}% of {other}")
    return format_list(parts)


def round_percents(shares: Sequence[float]) -> list[int]:
    """Round shares to whole percents that keep their sum; the largest remainders round up."""
    percents = [math.floor(100 * share + 1e-9) for share in shares]
    missing = round(100 * sum(shares)) - sum(percents)
    by_remainder = sorted(range(len(shares)), key=lambda i: percents[i] - 100 * shares[i])
    for place in by_remainder[:missing]:
        percents[place] += 1
    return percents
