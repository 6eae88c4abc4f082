"""Records: from a line or row of a source to the text of a document, or a reason to drop it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import simpleeval

from mixlaws.errors import ConfigError, DataError
from mixlaws.text.formats import Found
from mixlaws.text.selection import (
    FILTER_FUNCTIONS,
    Selection,
    filter_problem,
    missing_field,
    not_utf8,
)
from mixlaws.text.sources.source import SourceText

_NUM_BAD_LINES_SHOWN = 10
_REPAIR = "Repair the line, remove it, or set on_bad_lines"


class BadRecordError(DataError):
    """A record without text: an error, unless on_bad_lines allows some."""


@dataclass
class Selector:
    """Applies a selection to the records of one part."""

    selection: Selection
    num_bad: int = 0
    _evaluator: Any = field(init=False)
    _expression: Any = field(init=False)

    def __post_init__(self) -> None:
        self._evaluator = simpleeval.SimpleEval(functions=FILTER_FUNCTIONS)
        text = self.selection.filter
        if text is not None and (problem := filter_problem(text)):
            raise ConfigError(f"filter {problem}")
        self._expression = None if text is None else self._evaluator.parse(text)

    def text(self, place: str, units: float, found: Found) -> SourceText:
        """Return the text of the record found at a place, with a reason if it is to be dropped."""
        try:
            record = self._record(found, place)
            text = _text(record, self.selection.text_field, place)
        except BadRecordError as error:
            self._tolerate(error)
            return SourceText("", units, "bad line")
        if self._expression is not None and not self._keeps(record, place):
            return SourceText("", units, "filtered")
        return SourceText(text, units)

    def _record(self, found: Found, place: str) -> Any:
        if isinstance(found, bytes):
            return _parse(found, place)
        return {self.selection.text_field: found} if isinstance(found, str) else found

    def _tolerate(self, error: BadRecordError) -> None:
        allowed = self.selection.on_bad_lines
        self.num_bad += 1
        if allowed == "error":
            raise DataError(str(error)) from error
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
    try:
        return json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise BadRecordError(not_utf8(place, error)) from error
    except json.JSONDecodeError as error:
        raise BadRecordError(
            f"{place} is not valid JSON: {error.msg} at column {error.colno}. {_REPAIR}"
        ) from error
    except (ValueError, RecursionError) as error:  # a number too long, brackets too deep
        raise BadRecordError(
            f"{place} is JSON that Python cannot read: {error}. {_REPAIR}"
        ) from error


def _text(row: Any, text_field: str, place: str) -> str:
    """Return the text of one record; null gives an empty text."""
    if not isinstance(row, Mapping):
        raise BadRecordError(f"{place} is not a JSON object but {json.dumps(row)[:80]}. {_REPAIR}")
    if text_field not in row:
        raise BadRecordError(missing_field(text_field, list(row), place))
    text = row[text_field]
    if not isinstance(text, str | None):
        raise BadRecordError(
            f"field {text_field!r} of {place} is not text but of type {type(text).__name__}. Set "
            "text_field to a field of text"
        )
    if text and not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise BadRecordError(
                f"field {text_field!r} of {place} is not valid Unicode: character "
                f"{error.start + 1:,} is half of a surrogate pair. {_REPAIR}"
            ) from error
    return text or ""
