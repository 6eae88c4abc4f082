"""Records: from a line or row of a source to the text of a document, or a reason to drop it."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import simpleeval

from mixlaws.errors import ConfigError, DataError
from mixlaws.text.formats import Found, Unreadable
from mixlaws.text.selection import (
    CHAT_FIELDS,
    FILTER_FUNCTIONS,
    MAX_DOCUMENT_BYTES,
    REPAIR_ROW,
    Selection,
    chat_hint,
    compares_null,
    filter_problem,
    missing_field,
    not_utf8,
    too_large,
)
from mixlaws.text.sources.source import SourceText

_NUM_BAD_LINES_SHOWN = 10
# A NUL may be in a text, but not in every tenth place.
_MAX_NUL_SHARE = 0.1
_REPAIR = "Repair the line, remove it, or set on_bad_lines"


class BadRecordError(DataError):
    """A record without text: an error, unless on_bad_lines allows some."""


class _NullFieldError(Exception):
    """A filter has read a field that is null."""


class _Filter(simpleeval.SimpleEval):
    """Evaluates a filter, which may compare a field with a list of values."""

    def __init__(self) -> None:
        super().__init__(functions=FILTER_FUNCTIONS)
        self.nodes |= {ast.List: self._eval_values, ast.Tuple: self._eval_values}

    def _eval_values(self, node: ast.List | ast.Tuple) -> list[Any]:
        return [self._eval(each) for each in node.elts]


class _NullStops(_Filter):
    """Evaluates a filter until it reads a null: a missing value is neither above nor below .5."""

    def _eval(self, node: ast.AST) -> Any:
        value = super()._eval(node)
        if value is None and isinstance(node, ast.Name | ast.Subscript | ast.Attribute):
            raise _NullFieldError
        return value


@dataclass
class Selector:
    """Applies a selection to the records of one part."""

    selection: Selection
    num_bad: int = 0
    _evaluator: Any = field(init=False)
    _expression: Any = field(init=False)

    def __post_init__(self) -> None:
        text = self.selection.filter
        if text is not None and (problem := filter_problem(text)):
            raise ConfigError(f"filter {problem}")
        self._evaluator = _Filter() if text and compares_null(text) else _NullStops()
        self._expression = None if text is None else self._evaluator.parse(text)

    def text(self, place: str, units: float, found: Found) -> SourceText:
        """Return the text of the record found at a place, with a reason if it is to be dropped."""
        try:
            record = self._record(found, place)
            text = _text(record, self.selection.text_field, place)
        except BadRecordError as error:
            self._tolerate(error)
            return SourceText("", units, "bad line")
        if not text:
            return SourceText("", units, "empty")
        if self._expression is not None:
            try:
                if not self._keeps(record, place):
                    return SourceText("", units, "filtered")
            except _NullFieldError:
                return SourceText("", units, "null in filter")
        return SourceText(text, units)

    def _record(self, found: Found, place: str) -> Any:
        if isinstance(found, Unreadable):
            raise BadRecordError(f"{place} {found.problem}")
        if isinstance(found, bytes):
            return _parse(found, place)
        # Spark and Impala write text as binary columns.
        return {name: _decoded(value) for name, value in found.items()}

    def _tolerate(self, error: BadRecordError) -> None:
        allowed = self.selection.on_bad_lines
        self.num_bad += 1
        if allowed == "error":
            raise DataError(str(error)) from error.__cause__ or error
        if isinstance(allowed, int) and self.num_bad > allowed:
            raise DataError(
                f"more bad lines than the {allowed:,} that on_bad_lines allows: {error}"
            ) from error
        if self.num_bad <= _NUM_BAD_LINES_SHOWN:
            print(f"skipped: {error}")

    def _keeps(self, record: Mapping[str, Any], place: str) -> bool:
        self._evaluator.names = record
        text = self.selection.filter
        try:
            kept = self._evaluator.eval(text, previously_parsed=self._expression)
        except simpleeval.NameNotDefined as error:
            raise DataError(
                f"{place} has no field {error.name!r}, which the filter {text!r} reads; its fields "
                f"are {', '.join(sorted(record))}. Correct the filter"
            ) from error
        except _FILTER_ERRORS as error:
            if isinstance(error, TypeError) and "NoneType" in str(error):
                raise _NullFieldError from error
            raise DataError(
                f"the filter {text!r} fails on {place}: {error}. Correct the filter"
            ) from error
        if not isinstance(kept, bool):
            raise DataError(
                f"the filter {text!r} gives {kept!r} on {place}, not true or false. Compare it "
                "with a value"
            )
        return kept


# What a well-formed filter may raise on a record.
_FILTER_ERRORS = (
    simpleeval.InvalidExpression,
    *(TypeError, LookupError, ValueError, ArithmeticError),
)


def _parse(line: bytes, place: str) -> Any:
    if b"\0" in line and not line.strip(b"\0\r\n"):
        raise BadRecordError(
            f"{place} consists of {line.count(0):,} NUL bytes, as files have that were cut off by "
            f"a crash. {_REPAIR}"
        )
    try:
        return json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise BadRecordError(f"{place} {not_utf8(error)}") from error
    except json.JSONDecodeError as error:
        raise BadRecordError(
            f"{place} is not valid JSON: {error.msg} at column {error.colno}. {_REPAIR}"
        ) from error
    except (ValueError, RecursionError) as error:  # a number too long, brackets too deep
        raise BadRecordError(
            f"{place} is JSON that Python cannot read: {error}. {_REPAIR}"
        ) from error


def _decoded(value: Any) -> Any:
    """Return bytes as the UTF-8 text that they hold, anything else as it is."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _text(row: Any, text_field: str, place: str) -> str:
    """Return the text of one record, without a byte-order mark; null gives an empty text."""
    if not isinstance(row, Mapping):
        raise BadRecordError(f"{place} is not a JSON object but {json.dumps(row)[:80]}. {_REPAIR}")
    if text_field not in row:
        raise BadRecordError(missing_field(text_field, list(row), place))
    text = row[text_field]
    name = f"field {text_field!r} of {place}"
    if not isinstance(text, str | None):
        raise BadRecordError(_no_text(text, text_field, name))
    if text and not text.isascii():
        text = text.removeprefix("\ufeff")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise BadRecordError(
                f"{name} is not valid Unicode: character {error.start + 1:,} is half of a "
                f"surrogate pair. {_REPAIR}"
            ) from error
    if text:
        _check_size(text, place)
        _check_nul(text, place)
    return text or ""


def _no_text(value: Any, text_field: str, name: str) -> str:
    """Return the message for a value that is no text."""
    if isinstance(value, bytes):
        try:
            value.decode()
        except UnicodeDecodeError as error:
            return f"{name} {not_utf8(error, REPAIR_ROW)}"
    is_chat = text_field in CHAT_FIELDS or (
        isinstance(value, list) and value and isinstance(value[0], Mapping)
    )
    remedy = chat_hint(text_field) if is_chat else "Set text_field to a field of text"
    return f"{name} is not text but of type {type(value).__name__}. {remedy}"


def _check_size(text: str, place: str) -> None:
    # A character has at most four bytes: most texts need no count.
    if 4 * len(text) > MAX_DOCUMENT_BYTES and (size := len(text.encode())) > MAX_DOCUMENT_BYTES:
        raise BadRecordError(f"{place} {too_large(size)}")


def _check_nul(text: str, place: str) -> None:
    """Refuse bytes that were never written, and UTF-16 that was read as UTF-8."""
    if "\0" not in text:
        return
    count = text.count("\0")
    if "\0" * 8 in text or count > max(4, _MAX_NUL_SHARE * len(text)):
        raise BadRecordError(
            f"{place} has {count:,} NUL characters in {len(text):,}, as files have that were cut "
            f"off by a crash, and UTF-16. {_REPAIR}"
        )
