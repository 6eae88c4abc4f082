"""The text of an experiment: domains and their sources, the tokenizer, what is measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from mixlaws.config.section import (
    DomainName,
    Flag,
    Integer,
    Number,
    Problem,
    Section,
    key,
    optional,
    refuse,
)
from mixlaws.text.selection import filter_problem

WEIGHT_TOLERANCE = 1e-6


def _checked_filter(expression: str) -> str:
    if problem := filter_problem(expression):
        raise refuse(f"must be a Python expression, found {expression!r} ({problem})")
    return expression


def _checked_bad_lines(value: Any) -> Any:
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if value not in ("error", "skip") and not is_count:
        raise refuse(f"must be error, skip or a count of at least 1, found {value!r}")
    return value


BadLines = Annotated[
    int | str,
    PlainValidator(_checked_bad_lines),
    WithJsonSchema({"anyOf": [{"enum": ["error", "skip"]}, {"type": "integer", "minimum": 1}]}),
]


class Source(Section):
    """Where the text of a domain comes from: the keys of every kind."""

    available_tokens: Integer | None = optional(
        "Tokens of this domain at hand for the target; absent means no limit.", unit="tokens", ge=1
    )


class TextSource(Source):
    """A source of text, which is read up to a cap."""

    max_bytes: Integer | None = key(
        "Stop reading after this much text; null reads everything.",
        unit="bytes",
        default=None,
        ge=1,
    )
    max_tokens: Integer | None = key(
        "Keep at most this many tokens, over both splits; null keeps all.",
        unit="tokens",
        default=None,
        ge=1,
    )


class RecordSource(TextSource):
    """A source of records with fields, one of which is the text."""

    text_field: str = key("Field that holds a document's text.", default="text")
    filter: Annotated[str, AfterValidator(_checked_filter)] | None = key(
        "Python expression over a record's fields, such as \"lang == 'en' and len(text) > 200\"; "
        "records where it is false are dropped.",
        default=None,
    )
    on_bad_lines: BadLines = key(
        "What to do with a line that holds no text: error, skip, or the number that may be "
        "skipped.",
        default="error",
    )


class Embedded(TextSource):
    """Text of the installed Python environment."""

    source: Literal["embedded"] = key("Where the text comes from.")
    harvest: Literal["python", "docs", "cpp", "tests", "rst"] = key(
        "Which text of the installed Python environment."
    )


class Files(RecordSource):
    """Local files of text or records."""

    source: Literal["files"] = key("Where the text comes from.")
    paths: list[str] = key(
        "Glob patterns of .txt, .jsonl (also .gz, .zst), .parquet or .arrow files.", min_length=1
    )


class HuggingFace(RecordSource):
    """A data set of the Hugging Face hub, or one in its formats."""

    source: Literal["huggingface"] = key("Where the text comes from.")
    dataset: str = key("Name on the hub, or a local folder.")
    subset: str | None = key("Configuration of the data set.", default=None)
    split: str = key("Split to read.", default="train")
    revision: str | None = key(
        "Branch, tag or commit of the repository; a commit never changes.", default=None
    )
    streaming: Flag = key("Read without downloading the whole set.", default=False)
    num_parts: Integer = key(
        "Jobs that read the set side by side; a stream needs as many files.", default=1, ge=1
    )


class TokenFiles(Source):
    """Token files of an earlier experiment."""

    source: Literal["tokens"] = key("Where the text comes from.")
    folder: str = key(
        "A domain's token files of an earlier experiment, results/NAME/tokens/DOMAIN. Needs the "
        "tokenizer.json they were made with as tokenizer.file (and its end_of_document)."
    )


Domain = Annotated[Embedded | Files | HuggingFace | TokenFiles, Field(discriminator="source")]
Domains = dict[DomainName, Domain]


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
