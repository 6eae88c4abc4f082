"""The text of an experiment: domains and their sources, the tokenizer, what is measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from mixlaws.config.section import (
    Integer,
    Number,
    Problem,
    Section,
    key,
    optional,
)
from mixlaws.config.sources import Domains

WEIGHT_TOLERANCE = 1e-6


class TrainTokenizer(Section):
    """A tokenizer that the experiment trains."""

    vocabulary_size: Integer = key(
        "Tokens in the vocabulary, the end-of-document token included.", ge=257
    )
    max_bytes: Integer = key(
        "Text to learn from, the same share from each domain.",
        unit="bytes",
        default=1_000_000_000,
        ge=1,
    )


class Tokenizer(Section):
    """The tokenizer: one of train, file and name."""

    train: TrainTokenizer | None = optional(
        "Train a byte-level BPE on the training split of all domains."
    )
    file: str | None = optional("Path of a tokenizer.json of the tokenizers library.")
    name: str | None = optional(
        "Hugging Face repository with a tokenizer.json; its local cache is used first."
    )
    revision: str = key(
        "Branch, tag or commit of the repository; a commit never changes.", default="main"
    )
    end_of_document: str | None = key(
        "The special token that ends a document; null takes the tokenizer's usual one.",
        default=None,
    )

    def problems(self) -> Iterator[Problem]:
        """Yield a complaint unless one tokenizer is given."""
        given = [name for name in ("train", "file", "name") if getattr(self, name) is not None]
        if len(given) != 1:
            yield "", f"must have one of train, file, name, found {', '.join(given) or 'none'}"


class Tokenization(Section):
    """How the work on the text is divided into jobs."""

    part_bytes: Integer = key(
        "Source files read by one job.", unit="bytes", default=1_073_741_824, ge=1
    )
    shard_bytes: Integer = key(
        "Source files tokenized by one job.", unit="bytes", default=268_435_456, ge=1
    )
    read_speed: Number = key(
        "Text that a core reads, for the plan; benchmarks/tokenization.py measures it.",
        unit="MB a second",
        default=8,
        gt=0,
    )
    tokenize_speed: Number = key(
        "Text that a core tokenizes, for the plan; benchmarks/tokenization.py measures it.",
        unit="MB a second",
        default=3,
        gt=0,
    )


class Duplicates(Section):
    """Which repeated documents are removed."""

    near: Literal["validation", "all", "none"] = key(
        "Near duplicates to remove: training documents that resemble validation text, all, or "
        "none. `all` keeps every document in memory.",
        default="validation",
    )


class Validation(Section):
    """What is measured."""

    share: Number = key(
        "Share of each domain's documents kept for validation, chosen by content hash.",
        default=0.1,
        gt=0,
        lt=1,
    )
    domains: Domains = key("Domains that are measured and never trained on.", default_factory=dict)
    weights: dict[str, Annotated[Number, Field(ge=0)]] = key(
        "s_i, the weight of each validation domain in the overall loss; they sum to 1.",
        min_length=1,
    )
    num_windows: Integer = key(
        "Windows of training.sequence_length tokens measured per validation domain.",
        default=256,
        ge=1,
    )

    def problems(self) -> Iterator[Problem]:
        """Yield weights that do not sum to 1."""
        total = sum(self.weights.values())
        if abs(total - 1) > WEIGHT_TOLERANCE:
            yield "weights", f"must sum to 1, found {total:.6g}"
