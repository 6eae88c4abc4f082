"""nanotron: a data stage of a config with Nanosets."""

from __future__ import annotations

import yaml

from mixlaws.recipes.mixture import DATA, DecidedMixture
from mixlaws.recipes.recipe import Recipe


def _text(mixture: DecidedMixture) -> str:
    # huggingface/nanotron: NanosetDatasetsArgs in src/nanotron/config/config.py; Nanoset in
    # src/nanotron/data/nanoset.py normalises the weights and draws sequences of one length.
    dataset = {
        "dataset_folder": [f"{DATA}/{domain}" for domain in mixture.used],
        "dataset_weights": list(mixture.used.values()),
    }
    data = {"dataset": dataset, "num_loading_workers": 1, "seed": 42}
    stage = {"name": "mixture", "start_training_step": 1, "data": data}
    head = "# Shares of training tokens, in the order of the folders.\n"
    return head + yaml.safe_dump({"data_stages": [stage]}, sort_keys=False)


NANOTRON = Recipe(
    "nanotron.yaml",
    "nanotron",
    "the `data_stages` entry of a config with Nanosets.",
    _text,
)
