"""Check imported mixtures: repeated names, shares below 0, sums that miss 1, unknown kinds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mixlaws.losses.raw import Raw, places
from mixlaws.results import BASELINE, HELD_OUT, NAMED

KINDS = ("sample", HELD_OUT, BASELINE, NAMED)


def check_shares(raw: Raw, tolerance: float) -> Iterator[str]:
    """Yield what is wrong with the mixtures: repeated names, shares below 0, sums off 1."""
    table, name = raw.mixtures, raw.mixtures_name
    if len(raw.domains) < 2:
        yield (
            f"{name}: has {len(raw.domains)} domains ({', '.join(raw.domains)}), needs 2 or more. "
            "Add a column of shares for each domain"
        )
        return
    again = table["id"].duplicated(keep=False).to_numpy()
    if again.any():
        listed = ", ".join(table.loc[again, "id"].unique()[:5])
        yield f"{name}: several rows for {listed} ({places(table.index[again])}). Keep one of them"
    shares = table[raw.domains].to_numpy()
    below = np.asarray((shares < 0).any(axis=1))
    if below.any():
        yield f"{name}: shares are below 0 ({places(table.index[below])}). Correct them"
    sums = shares.sum(axis=1)
    if (off := ~(np.abs(sums - 1) <= tolerance) & ~np.isnan(sums)).any():
        worst = sums[off][np.argmax(np.abs(sums[off] - 1))]
        yield (
            f"{name}: shares of {off.sum():,} of {len(table):,} mixtures do not sum to 1 within "
            "the rounding of their "
            f"digits ({tolerance:.3g}), the worst to {worst:.6g} ({places(table.index[off])}). "
            "Correct them"
        )
    if "kind" in table and (odd := ~table["kind"].isin(KINDS)).any():
        yield (
            f"{name}: kind must be one of {', '.join(KINDS)}, found "
            f"{table.loc[odd, 'kind'].iloc[0]!r} ({places(table.index[odd])})"
        )
