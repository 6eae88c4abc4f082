"""What a recipe is: one file that one trainer reads."""

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
    """How to use the file, for the README beside it; `{tokens}` is replaced by the target's."""
    text: Callable[[DecidedMixture], str]
    """Returns the content of the file."""
