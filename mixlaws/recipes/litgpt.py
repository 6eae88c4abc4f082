"""LitGPT and LitData: paths and weights for CombinedStreamingDataset."""

from __future__ import annotations

import json

from mixlaws.recipes.mixture import DATA, DecidedMixture
from mixlaws.recipes.recipe import Recipe


def _text(mixture: DecidedMixture) -> str:
    # Lightning-AI/litgpt at 01fe959c, litgpt/data/tinyllama.py, train_dataloader: weights in the
    # order of the datasets, whose TokensLoader cuts blocks of one length. LitData 0.2.76 refuses
    # weights with iterate_over_all, its default: shares would not hold once a domain has ended.
    record = {
        "unit": LITGPT.unit(mixture),
        "input_dirs": [f"{DATA}/{domain}" for domain in mixture.used],
        "weights": list(mixture.used.values()),
        "iterate_over_all": False,
    }
    return json.dumps(record, indent=2) + "\n"


LITGPT = Recipe(
    "litgpt.json",
    "LitGPT and LitData",
    "in a data module as `litgpt/data/tinyllama.py`, one `StreamingDataset` with a `TokensLoader` "
    "per entry of `input_dirs`, and `CombinedStreamingDataset(datasets, seed, "
    "weights=recipe['weights'], iterate_over_all=recipe['iterate_over_all'])`. It ends with the "
    "first domain that runs out; start its next epoch then. With `drop_last`, a domain of less "
    "than one batch counts as empty.",
    _text,
)
