"""A recipe: one file that one trainer reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mixlaws.recipes.mixture import DecidedMixture


@dataclass(frozen=True)
class Recipe:
    """The mixture in the format of one trainer."""

    file_name: str
    trainer: str
    guide: str
    """How to use the file, for the README; `{tokens}` is replaced by the target's tokens."""
    text: Callable[[DecidedMixture], str]
    """Function that returns the content of the file."""
