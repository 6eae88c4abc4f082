"""Selections: which records of a source are documents, and which field is their text."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

FILTER_FUNCTIONS: dict[str, Callable[..., Any]] = {
    each.__name__: each for each in (len, int, float, str, abs, min, max, round)
}
"""What a filter may call. All of these give the same result on every run."""

MAX_DOCUMENT_BYTES = 2**24
"""UTF-8 bytes of the largest document. Reading takes 40 times as much memory, tokenizing 100 times:
more would exceed the 2 GB that these jobs request from a cluster."""
REPAIR_ROW = "Repair the row, or set on_bad_lines"
CHAT_FIELDS = ("messages", "conversations", "conversation", "turns", "dialogue")


@dataclass(frozen=True)
class Selection:
    """The keys of a domain that select records and their text."""

    text_field: str = "text"
    filter: str | None = None
    """A Python expression over a record's fields; records for which it is false are dropped."""
    on_bad_lines: str | int = "error"
    """error, skip, or the number of bad records that one job may skip."""

    def columns(self) -> list[str]:
        """Return the fields that a reader of columns must read."""
        names = [] if self.filter is None else sorted(_names(self.filter))
        return [self.text_field, *(name for name in names if name != self.text_field)]


def filter_problem(expression: str) -> str:
    """Return what is wrong with the syntax of a filter, or an empty string."""
    try:
        ast.parse(expression.strip(), mode="eval")
    except SyntaxError as error:
        found = f"{error.msg} at column {error.offset}"
        return f"must be a Python expression, found {expression!r} ({found})"
    return ""


def bad_lines_problem(value: Any) -> str:
    """Return what is wrong with a value of on_bad_lines, or an empty string."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if value in ("error", "skip") or is_count:
        return ""
    return f"must be error, skip or a count of at least 1, found {value!r}"


def _names(expression: str) -> set[str]:
    """Return the fields that an expression reads."""
    tree = ast.parse(expression.strip(), mode="eval")
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return names - FILTER_FUNCTIONS.keys()


def compares_null(expression: str) -> bool:
    """Return whether a filter names None, and so says itself what becomes of a null."""
    tree = ast.parse(expression.strip(), mode="eval")
    return any(isinstance(node, ast.Constant) and node.value is None for node in ast.walk(tree))


def missing_field(field_name: str, fields: Iterable[str], place: str) -> str:
    """Return the message for a record, file or dataset that lacks a field."""
    known = sorted(fields)
    chat = [name for name in known if name in CHAT_FIELDS]
    remedy = f"{chat_hint(chat[0])}" if chat else "Set text_field, or correct filter"
    return f"{place} has no field {field_name!r}; its fields are {', '.join(known)}. {remedy}"


def chat_hint(field_name: str) -> str:
    """Return what to do about chat data, whose text is in several turns."""
    return (
        f"{field_name!r} looks like chat data: join its turns into one text with your model's "
        "template first (docs/domains.md), and name that field as text_field"
    )


def not_utf8(error: UnicodeDecodeError, remedy: str = "") -> str:
    """Return the words for text in another encoding than UTF-8, to follow its place."""
    value = error.object[error.start]
    remedy = remedy or "Convert the file, for example with iconv"
    return f"is not UTF-8: byte {error.start + 1:,} is {value:#04x}. {remedy}"


def too_large(num_bytes: int) -> str:
    """Return the words for a document above MAX_DOCUMENT_BYTES, to follow its place."""
    return (
        f"has {num_bytes:,} bytes; a document may have {MAX_DOCUMENT_BYTES:,}, because its memory "
        "grows with it. Divide it (a .txt file is one document; JSON lines hold one a line), or "
        "set on_bad_lines"
    )
