"""The config's sections on text: the tokenizer, duplicates and validation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from mixlaws.config.section import (
    Integer,
    Number,
    Problem,
    Section,
    Share,
    key,
    optional,
)
from mixlaws.config.sources import Domains
from mixlaws.text.tokens import Allowed

WEIGHT_TOLERANCE = 1e-6


class TrainTokenizer(Section):
    """A tokenizer that the experiment trains."""

    vocabulary_size: Integer = key(
        "Tokens in the vocabulary, the end-of-document token included.", ge=257
    )
    max_bytes: Integer = key(
        "Amount of text to train the tokenizer on, divided equally between domains.",
        unit="bytes",
        default=1_000_000_000,
        ge=1,
    )


class Tokenizer(Section):
    """The tokenizer: train one, or give a file or a name."""

    train: TrainTokenizer | None = optional(
        "Train a byte-level BPE tokenizer on the training split of all domains."
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

    max_unknown_share: Share = key(
        "Largest share of unknown tokens that a split may have.",
        default=Allowed.max_unknown_share,
    )
    max_altered_share: Share = key(
        "Largest share of a sample of a split's documents that may not decode to themselves.",
        default=Allowed.max_altered_share,
    )

    def problems(self) -> Iterator[Problem]:
        """Yield a problem unless exactly one tokenizer is given."""
        given = [name for name in ("train", "file", "name") if getattr(self, name) is not None]
        if len(given) != 1:
            yield "", f"must have one of train, file, name, found {', '.join(given) or 'none'}"


class Tokenization(Section):
    """Size of the jobs that read and tokenize text."""

    part_bytes: Integer = key(
        "Size of the source files that one job reads.", unit="bytes", default=1_073_741_824, ge=1
    )
    shard_bytes: Integer = key(
        "Size of the source files that one job tokenizes.", unit="bytes", default=268_435_456, ge=1
    )
    read_speed: Number = key(
        "Reading speed of one core, for the plan; benchmarks/tokenization.py measures it.",
        unit="MB a second",
        default=8,
        gt=0,
    )
    tokenize_speed: Number = key(
        "Tokenizing speed of one core, for the plan; benchmarks/tokenization.py measures it.",
        unit="MB a second",
        default=3,
        gt=0,
    )


class Duplicates(Section):
    """Near duplicates to remove; exact duplicates are always removed."""

    near: Literal["validation", "all", "none"] = key(
        "validation removes training documents that resemble validation text, all removes every "
        "near duplicate and keeps all documents in memory, none removes none.",
        default="validation",
    )


class Validation(Section):
    """Validation domains, and their weights in the overall loss."""

    share: Number = key(
        "Share of each training domain's documents kept for validation, chosen by content hash.",
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
        "Number of windows of training.sequence_length tokens measured per validation domain.",
        default=256,
        ge=1,
    )

    def problems(self) -> Iterator[Problem]:
        """Yield a problem if the weights do not sum to 1."""
        total = sum(self.weights.values())
        if abs(total - 1) > WEIGHT_TOLERANCE:
            yield "weights", f"must sum to 1, found {total:.6g}"
