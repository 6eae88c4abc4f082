"""LitGPT: paths and weights for LitData's CombinedStreamingDataset."""

from __future__ import annotations

import json

from mixlaws.recipes.mixture import DATA, DecidedMixture
from mixlaws.recipes.recipe import Recipe


def _text(mixture: DecidedMixture) -> str:
    # Lightning-AI/litgpt at 01fe959c, litgpt/data/tinyllama.py, train_dataloader: weights in the
    # order of the datasets, whose TokensLoader cuts blocks of one length.
    record = {
        "unit": LITGPT.unit(mixture),
        "input_dirs": [f"{DATA}/{domain}" for domain in mixture.used],
        "weights": list(mixture.used.values()),
    }
    return json.dumps(record, indent=2) + "\n"


LITGPT = Recipe(
    "litgpt.json",
    "LitGPT",
    "in a data module as `litgpt/data/tinyllama.py`, one `StreamingDataset` with a `TokensLoader` "
    "per entry of `input_dirs`, and `CombinedStreamingDataset(datasets, seed, "
    "weights=recipe['weights'])`.",
    _text,
)
