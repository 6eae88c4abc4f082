"""What every source has: a name, keys in the config, parts, a size, and a way to open it.

A source is a frozen dataclass whose fields are its keys in the config. The Snakefile imports all
sources and is parsed again in every job, so a source imports libraries that read data only inside
the functions that use them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from inspect import get_annotations
from typing import Any, ClassVar

from mixlaws.errors import ConfigError
from mixlaws.text.cleaning import Cleaning, clean_problem
from mixlaws.text.parts import Part
from mixlaws.text.selection import Selection, bad_lines_problem, filter_problem

BYTES_PER_CAPPED_TOKEN = 8
"""Bytes of text that are read per token of max_tokens. Tokenizers average 3 to 5 on real text."""


@dataclass(frozen=True)
class SourceText:
    """One text of a source."""

    text: str
    units: float
    """How much of the source's total it took: see Reading.total_units."""
    dropped: str = ""
    """Why the source itself rejects the text; empty if it does not."""


@dataclass(frozen=True)
class Reading:
    """A part of a source, opened to be read once."""

    texts: Iterator[SourceText]
    total_units: float | None
    """Size of the part in the source's own units (bytes of files, or rows); None if unknown."""
    listing: list[Any]
    """Names and sizes of what will be read, not the contents.

    The listings of all parts make the digest of the source. Where parts share an entry, only the
    first part lists it.
    """
    sample: Callable[[float], str] = lambda _: "the start"
    """Returns in words what was read when a cap stopped it after so many units."""


@dataclass(frozen=True)
class Key:
    """What the config must know of a key of a source."""

    schema: dict[str, Any]
    """The JSON schema of its value, with default (unless it is required) and description."""
    unit: str = ""
    check: Callable[[Any], str] | None = None
    """Returns what is wrong with a value, or an empty string."""


def key(
    description: str,
    *,
    default: Any = MISSING,
    unit: str = "",
    check: Callable[[Any], str] | None = None,
    **schema: Any,
) -> Any:
    """Return the dataclass field of a key: required unless it has a default.

    `schema` is the JSON schema of its value, without default and description.
    """
    stated = {} if default is MISSING else {"default": default}
    described = Key({**schema, **stated, "description": description}, unit, check)
    return field(default=default, metadata={"key": described})


@dataclass(frozen=True, kw_only=True)
class Source(ABC):
    """Where the data of a domain comes from. The fields of a source are its keys in the config."""

    name: ClassVar[str]
    """The value of `source` in the config."""
    holds_text: ClassVar[bool] = True
    """Whether it gives text. Other sources give token ids, which are not read and tokenized."""

    @classmethod
    def keys(cls) -> dict[str, Key]:
        """Return the keys by name; those of the source itself come first."""
        found = {each.name: each.metadata["key"] for each in fields(cls)}
        names = [name for base in cls.__mro__ for name in get_annotations(base)]
        return {name: found[name] for name in names if name in found}

    @classmethod
    def required(cls) -> list[str]:
        """Return the keys that have no default."""
        return [name for name, each in cls.keys().items() if "default" not in each.schema]


@dataclass(frozen=True, kw_only=True)
class TextSource(Source):
    """A source of text."""

    max_bytes: int | None = key(
        "Reading stops after this many bytes of text; null reads everything.",
        unit="bytes",
        type=["integer", "null"],
        minimum=1,
        default=None,
    )
    max_tokens: int | None = key(
        "At most this many tokens are kept, both splits together; null keeps all.",
        unit="tokens",
        type=["integer", "null"],
        minimum=1,
        default=None,
    )

    clean: Sequence[str] | None = key(
        "Changes of each text before anything else: nfc (Unicode's composed form), "
        "control_characters (removed, but for tab, CR and LF). Null makes none.",
        check=clean_problem,
        type=["array", "null"],
        items={"type": "string"},
        default=None,
    )
    min_characters: int | None = key(
        "Shorter texts are dropped; null drops none.",
        unit="characters",
        type=["integer", "null"],
        minimum=1,
        default=None,
    )
    max_characters: int | None = key(
        "Longer texts are dropped; null drops none.",
        unit="characters",
        type=["integer", "null"],
        minimum=1,
        default=None,
    )

    def __post_init__(self) -> None:
        """Raise ConfigError if no text can have an allowed length."""
        least, most = self.min_characters, self.max_characters
        if least and most and least > most:
            raise ConfigError(
                f"min_characters ({least:,}) exceeds max_characters ({most:,}), so that no text is "
                "left. Lower the one, or raise the other"
            )

    @property
    def cleaning(self) -> Cleaning:
        """Return what is changed in each text, and which lengths are dropped."""
        return Cleaning(tuple(self.clean or ()), self.min_characters, self.max_characters)

    @property
    def limit(self) -> int | None:
        """Return the bytes of text after which reading stops, or None."""
        limits = [self.max_bytes, BYTES_PER_CAPPED_TOKEN * (self.max_tokens or 0)]
        return min((limit for limit in limits if limit), default=None)

    @property
    def selection(self) -> Selection:
        """Return which records are documents: all of them."""
        return Selection()

    def choice(self) -> dict[str, Any]:
        """Return the options that decide which documents are kept: part of the fingerprint."""
        caps = {"max_bytes": self.max_bytes, "max_tokens": self.max_tokens}
        return asdict(self.selection) | {"clean": asdict(self.cleaning)} | caps

    def plan_parts(self, part_bytes: int) -> list[Part]:  # noqa: ARG002 (one part by default)
        """Return the parts, one for each job, of about `part_bytes` each; opens no file.

        A source with a cap is one part: its job stops at the cap, and parallel jobs would read text
        that is not needed.
        """
        return [Part()]

    def estimate_parts(self, part_bytes: int, num_bytes: float) -> list[Part]:  # noqa: ARG002
        """Return the expected parts of `num_bytes` of text; the source need not be there yet."""
        return self.plan_parts(part_bytes)

    def text_bytes(self) -> float | None:
        """Return the estimated bytes of text of the whole source; None if unknown before reading.

        A cap makes no difference here.
        """
        return None

    @abstractmethod
    def open(self, part: Part) -> Reading:
        """Open one part, at its start."""


@dataclass(frozen=True, kw_only=True)
class RecordSource(TextSource):
    """A source of records with fields: lines of JSON, or rows."""

    text_field: str = key("Field that holds a document's text.", type="string", default="text")
    filter: str | None = key(
        "Python expression over a record's fields, such as "
        "\"lang == 'en' and len(text) > 200\"; records where it is false are dropped.",
        check=filter_problem,
        type=["string", "null"],
        default=None,
    )
    on_bad_lines: str | int = key(
        "What to do with a line that has no text: error, skip, or the number of such lines that "
        "may be skipped.",
        check=bad_lines_problem,
        anyOf=[{"enum": ["error", "skip"]}, {"type": "integer", "minimum": 1}],
        default="error",
    )

    @property
    def selection(self) -> Selection:
        """Return which records are documents, and which field is their text."""
        return Selection(self.text_field, self.filter, self.on_bad_lines)
