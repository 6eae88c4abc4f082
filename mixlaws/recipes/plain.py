"""Proportions, lattice counts and tokens as JSON, for any other trainer."""

from __future__ import annotations

import json

from mixlaws.recipes.mixture import DecidedMixture
from mixlaws.recipes.recipe import Recipe


def _text(mixture: DecidedMixture) -> str:
    record = {
        "mixture": mixture.name,
        "unit": "share of training tokens",
        "lattice": mixture.lattice,
        "proportions": {domain: float(share) for domain, share in mixture.shares.items()},
        "counts": mixture.counts,
        "tokens": mixture.tokens,
        "document_shares": mixture.documents,
        "total_tokens": mixture.total_tokens,
    }
    return json.dumps(record, indent=2, sort_keys=True) + "\n"


PLAIN = Recipe(
    "mixture.json",
    "any other trainer",
    "proportions, parts of the lattice and tokens per domain; `document_shares` for a sampler that "
    "draws documents, null where the tokens per document are not known.",
    _text,
)
