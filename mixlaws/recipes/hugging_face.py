"""Hugging Face datasets: domains and probabilities for `interleave_datasets`."""

from __future__ import annotations

import json

from mixlaws.recipes.mixture import DecidedMixture
from mixlaws.recipes.recipe import Recipe


def _text(mixture: DecidedMixture) -> str:
    # huggingface/datasets: interleave_datasets(datasets, probabilities, seed, stopping_strategy).
    # first_exhausted ends with the first domain that runs out, so every draw follows the shares;
    # all_exhausted_without_replacement does not follow them after that.
    record = {
        "unit": "share of training tokens",
        "domains": list(mixture.used),
        "probabilities": list(mixture.used.values()),
        "stopping_strategy": "first_exhausted",
    }
    return json.dumps(record, indent=2) + "\n"


HUGGING_FACE = Recipe(
    "hugging_face.json",
    "Hugging Face datasets",
    "`interleave_datasets([data[name] for name in recipe['domains']], "
    "probabilities=recipe['probabilities'], stopping_strategy=recipe['stopping_strategy'], "
    "seed=0)`. It draws examples: give it packed sequences of one length, else the shares are of "
    "documents. Repeat a domain beforehand if it is to be seen more than once.",
    _text,
)
