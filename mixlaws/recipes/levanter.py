"""Levanter and Marin: the data section with one config and one weight per domain."""

from __future__ import annotations

import yaml

from mixlaws.recipes.mixture import DATA, DecidedMixture
from mixlaws.recipes.recipe import Recipe


def _text(mixture: DecidedMixture) -> str:
    # stanford-crfm/levanter at 87ec0fce, config/data/rpv1_llama.yaml: configs.NAME.train_urls and
    # train_weights.NAME, read by LMMixtureDatasetConfig, whose names in both must be the same.
    data = {
        "configs": {name: {"train_urls": [f"{DATA}/{name}/*.jsonl.gz"]} for name in mixture.used},
        "train_weights": dict(mixture.used),
        "stop_strategy": "restart",
    }
    return "# Shares of training tokens.\n" + yaml.safe_dump({"data": data}, sort_keys=False)


LEVANTER = Recipe(
    "levanter.yaml",
    "Levanter and Marin",
    "the `data` section of a config; add `tokenizer` and `cache_dir`. In its `text` format "
    "Levanter draws sequences of one length from its token caches, and starts a domain again that "
    "runs out.",
    _text,
)
