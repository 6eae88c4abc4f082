"""Records: how a line or a row of a source becomes the text of a document, or is dropped."""

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


class BadRecordError(DataError):
    """A record that holds no text: an error, unless on_bad_lines allows some."""


@dataclass
class Selector:
    """A selection at work on one part."""

    selection: Selection
    num_bad: int = 0
    _evaluator: Any = field(init=False)
    _expression: Any = field(init=False)

    def __post_init__(self) -> None:
        self._evaluator = simpleeval.SimpleEval(functions=FILTER_FUNCTIONS)
        text = self.selection.filter
        if text is not None and (problem := filter_problem(text)):
            raise ConfigError(f"filter must be an expression, got {text!r}: {problem}")
        self._expression = None if text is None else self._evaluator.parse(text)

    def text(self, place: str, units: float, found: Found) -> SourceText:
        """Return what stands in one place, with the reason to drop it, if there is one."""
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
                f"at most {allowed:,} bad lines may be skipped (on_bad_lines), but here is one "
                f"more: {error}"
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
                f"{place} must have every field of the filter {text!r}, but lacks "
                f"{error.name!r} (found {', '.join(sorted(record))}): correct the filter"
            ) from error
        except _FILTER_ERRORS as error:
            raise DataError(
                f"{place}: the filter {text!r} must give true or false, but fails ({error}): "
                "correct the filter"
            ) from error
        if not isinstance(kept, bool):
            raise DataError(
                f"{place}: the filter {text!r} must give true or false, but gives {kept!r}: "
                "compare with something"
            )
        return kept


# What evaluating a well-formed filter on some record may raise.
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
            f"{place} must be one JSON object, but {error.msg} at column {error.colno}: "
            "repair the line, remove it, or set on_bad_lines"
        ) from error
    except (ValueError, RecursionError) as error:  # a number too long, brackets too deep
        raise BadRecordError(
            f"{place} must be one JSON object that Python can read, but {error}: repair the line, "
            "remove it, or set on_bad_lines"
        ) from error


def _text(row: Any, text_field: str, place: str) -> str:
    """Return the text of one record; null is no text."""
    if not isinstance(row, Mapping):
        raise BadRecordError(f"{place} must be a JSON object, but is {json.dumps(row)[:80]}")
    if text_field not in row:
        raise BadRecordError(missing_field(text_field, list(row), place))
    text = row[text_field]
    if not isinstance(text, str | None):
        raise BadRecordError(
            f"{place}: field {text_field!r} must be text, but is a {type(text).__name__}: "
            "name another field as text_field"
        )
    if text and not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise BadRecordError(
                f"{place}: field {text_field!r} must be Unicode text, but its character "
                f"{error.start + 1:,} is half of a surrogate pair: repair the line, remove it, or "
                "set on_bad_lines"
            ) from error
    return text or ""
