"""The config's section on recipes, the files that trainers read."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mixlaws.config.section import Number, Section, key


class Recipes(Section):
    """What the recipes for trainers must know of the text."""

    tokens_per_document: dict[str, Annotated[Number, Field(gt=0)]] = key(
        "Mean tokens per document of each training domain, with the trainer's tokenizer. A trainer "
        "that draws documents needs them. Tokens that the experiment counted serve the domains "
        "that are not named.",
        unit="tokens",
        default_factory=dict,
    )
