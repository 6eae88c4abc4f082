"""The config's sections on continual pre-training: the model to start from, and the shares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from mixlaws.config.section import (
    Flag,
    Integer,
    Name,
    Number,
    Problem,
    Section,
    Unique,
    key,
    optional,
)
from mixlaws.config.text import WEIGHT_TOLERANCE
from mixlaws.runs.replay import SHARE_STEPS

MIN_SHARES = 4
Parts = dict[str, Annotated[Number, Field(ge=0)]]
ReplayShare = Annotated[Number, Field(gt=0, lt=1)]


class Initial(Section):
    """The model that every run starts from, instead of random weights."""

    experiment: Name | None = optional(
        "Experiment whose finished runs are continued: each size starts from its own run. That "
        "experiment needs training.keep_weights: true."
    )
    mixture: Name | None = optional("Id of the mixture in that experiment, such as uniform.")
    seed: Integer | None = optional(
        "Seed of the run in that experiment. If left out, each run starts from the run of its own "
        "seed, so that the noise of the base is measured too.",
        ge=0,
    )
    folder: str | None = optional(
        "Folder of a local Hugging Face model (GPT-NeoX, Llama, Qwen2, Qwen3, OLMo2, Arcee), for "
        "experiments of one size. It needs the extra `pretrained`."
    )
    learning_rate: Number | None = optional(
        "Peak learning rate of all weights of a model from a folder; it does not scale with the "
        "width, and training.learning_rate and embedding_learning_rate are not used.",
        gt=0,
    )

    def problems(self) -> Iterator[Problem]:
        """Yield keys that are missing for, or do not belong to, the kind of model."""
        given = [name for name in ("experiment", "folder") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            yield "", f"must have one of experiment, folder, found {found}"
            return
        needs = {"experiment": ["mixture"], "folder": ["learning_rate"]}
        allows = {"experiment": ["mixture", "seed"], "folder": ["learning_rate"]}
        for name in needs[given[0]]:
            if getattr(self, name) is None:
                yield name, f"must be stated with {given[0]}"
        for name in ("mixture", "seed", "learning_rate"):
            if name not in allows[given[0]] and getattr(self, name) is not None:
                yield name, f"must be left out with {given[0]}, found {getattr(self, name)}"


class Continual(Section):
    """How much of the original data a continued model must see to keep its loss on them.

    Every size and seed is trained at each replay share. There are neither other mixtures nor an
    optimum: the page answers which share keeps the loss, and what it costs the new domains.
    """

    original: Parts = key(
        "Domains of the base's data, and the part of each in the replayed data; the parts sum to "
        "1. All other domains are new.",
        min_length=1,
    )
    new: Parts = key(
        "Part of each new domain in the new data; the parts sum to 1. Empty: equal parts.",
        default_factory=dict,
    )
    preserve: Parts = key(
        "Weight of each validation domain in the loss to preserve; the weights sum to 1. Empty: "
        "the parts of `original`.",
        default_factory=dict,
    )
    learn: Parts = key(
        "Weight of each validation domain in the loss to lower; the weights sum to 1. Empty: the "
        "parts of `new`.",
        default_factory=dict,
    )
    shares: Annotated[list[ReplayShare], Unique()] = key(
        "Shares of the original data at which runs are trained: at least four, on both sides of "
        f"the expected answer, in steps of 1/{SHARE_STEPS}.",
        min_length=MIN_SHARES,
    )
    verify: Flag = key(
        "Whether to train the largest size at the share that is found, to check it.",
        default=False,
    )

    def problems(self) -> Iterator[Problem]:
        """Yield parts and weights that do not sum to 1, and shares between the steps."""
        for name in ("original", "new", "preserve", "learn"):
            parts = getattr(self, name)
            total = sum(parts.values())
            if parts and abs(total - 1) > WEIGHT_TOLERANCE:
                yield name, f"must sum to 1, found {total:.6g}"
        for share in self.shares:
            if abs(share * SHARE_STEPS - round(share * SHARE_STEPS)) > WEIGHT_TOLERANCE:
                yield "shares", f"must be multiples of 1/{SHARE_STEPS}, found {share:g}"
