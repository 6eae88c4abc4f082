"""OLMo-core: the list of sources of a mixture."""

from __future__ import annotations

import yaml

from mixlaws.recipes.mixture import DATA, DecidedMixture
from mixlaws.recipes.recipe import Recipe


def _text(mixture: DecidedMixture) -> str:
    # allenai/OLMo-core: SourceMixtureConfig in src/olmo_core/data/source_mixture.py; target_ratio
    # is a positive share of requested_tokens, and the ratios sum to 1.
    sources = [
        {"source_name": domain, "target_ratio": share, "paths": [f"{DATA}/{domain}/*.npy"]}
        for domain, share in mixture.used.items()
    ]
    head = f"# Shares of training tokens; requested_tokens: {mixture.total_tokens}\n"
    return head + yaml.safe_dump({"sources": sources}, sort_keys=False)


OLMO_CORE = Recipe(
    "olmo_core.yaml",
    "OLMo-core",
    "the `SourceMixtureList` of a `SourceMixtureDatasetConfig` with `requested_tokens: {tokens}`. "
    "A domain that must be repeated needs a `max_repetition_ratio`.",
    _text,
)
