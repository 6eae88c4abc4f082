"""Hugging Face datasets: domains and probabilities for `interleave_datasets`."""

from __future__ import annotations

import json
from typing import Any

from mixlaws.recipes.mixture import DecidedMixture
from mixlaws.recipes.recipe import Recipe


def _text(mixture: DecidedMixture) -> str:
    # huggingface/datasets: interleave_datasets(datasets, probabilities, seed, stopping_strategy).
    # first_exhausted ends with the first domain that runs out, so every draw follows the shares;
    # all_exhausted_without_replacement does not follow them after that.
    record: dict[str, Any] = {"unit": HUGGING_FACE.unit(mixture), "domains": list(mixture.used)}
    if mixture.documents is None:
        record["probabilities"] = list(mixture.used.values())
        record["not_for_documents"] = (
            f"The tokens per document of {', '.join(mixture.unmeasured)} are not known: these are "
            "shares of tokens. Give the loader packed sequences of one length, or state "
            "recipes.tokens_per_document"
        )
    else:
        record["probabilities"] = list(mixture.documents.values())
        record["probabilities_of_packed_sequences"] = list(mixture.used.values())
        record["tokens_per_document"] = [mixture.document_tokens[name] for name in mixture.used]
    record["stopping_strategy"] = "first_exhausted"
    return json.dumps(record, indent=2) + "\n"


HUGGING_FACE = Recipe(
    "hugging_face.json",
    "Hugging Face datasets",
    "`interleave_datasets([data[name] for name in recipe['domains']], "
    "probabilities=recipe['probabilities'], stopping_strategy=recipe['stopping_strategy'], "
    "seed=0)`. It draws examples, so documents unless they are packed into sequences of one length "
    "beforehand. Repeat a domain beforehand if it is to be seen more than once.",
    _text,
    draws_documents=True,
)
