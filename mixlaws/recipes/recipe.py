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
    draws_documents: bool = False
    """Whether the trainer draws documents of any length; the others draw sequences of one
    length."""

    def unit(self, mixture: DecidedMixture) -> str:
        """Return what a weight in the file is a share of."""
        is_converted = self.draws_documents and mixture.documents is not None
        return "share of documents" if is_converted else "share of training tokens"
