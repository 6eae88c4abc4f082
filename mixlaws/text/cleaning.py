"""Cleaning: optional changes of a text before anything else is done with it, each counted."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

_CONTROL = re.compile("[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f]")


def _nfc(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _without_control(text: str) -> str:
    return _CONTROL.sub("", text)


STEPS: dict[str, Callable[[str], str]] = {
    "nfc": _nfc,
    "control_characters": _without_control,
}
"""What `clean` may name: Unicode's composed form; no control characters but tab, CR and LF."""


@dataclass(frozen=True)
class Cleaning:
    """The keys of a domain that change its texts, and drop those of another length."""

    steps: Sequence[str] = ()
    min_characters: int | None = None
    max_characters: int | None = None

    def clean(self, text: str) -> tuple[str, list[str]]:
        """Return the cleaned text, and the steps that changed it."""
        changed = []
        for step in self.steps:
            before, text = text, STEPS[step](text)
            if text != before:
                changed.append(step)
        return text, changed

    def reason(self, text: str) -> str:
        """Return why a cleaned text is dropped, or an empty string."""
        if self.min_characters is not None and len(text) < self.min_characters:
            return "below min_characters"
        if self.max_characters is not None and len(text) > self.max_characters:
            return "above max_characters"
        return ""


def clean_problem(value: Any) -> str:
    """Return what is wrong with a value of `clean`, or an empty string."""
    if value is None or (isinstance(value, list) and all(step in STEPS for step in value)):
        return ""
    return f"must be a list of {', '.join(STEPS)}, found {value!r}"
