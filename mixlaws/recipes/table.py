"""Domain, share, parts and tokens as CSV, for spreadsheets and scripts."""

from __future__ import annotations

from mixlaws.recipes.mixture import DecidedMixture
from mixlaws.recipes.recipe import Recipe


def _text(mixture: DecidedMixture) -> str:
    rows = [
        f"{domain},{float(share)!r},{mixture.counts[domain]},{mixture.tokens[domain]}"
        for domain, share in mixture.shares.items()
    ]
    return "\n".join(["domain,share,parts,tokens", *rows]) + "\n"


TABLE = Recipe(
    "mixture.csv", "spreadsheets and scripts", "share, parts and tokens per domain.", _text
)
