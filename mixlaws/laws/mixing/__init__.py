"""Mixing laws: the loss of every validation domain as a function of the proportions."""

from __future__ import annotations

from mixlaws.laws.mixing.additive import Additive
from mixlaws.laws.mixing.additive_terms import AdditiveTerms
from mixlaws.laws.mixing.exponent import AdditivePower
from mixlaws.laws.mixing.exponential import Exponential
from mixlaws.laws.mixing.form import MixingLaw
from mixlaws.laws.mixing.implicit import Implicit
from mixlaws.laws.mixing.rejected import M1, M2, M3
from mixlaws.laws.mixing.square_root import SquareRoot

MIXING_LAWS: dict[str, type[MixingLaw]] = {
    law.name: law
    for law in (
        Additive,
        Exponential,
        M1,
        M2,
        M3,
        Implicit,
        SquareRoot,
        AdditivePower,
        AdditiveTerms,
    )
}
"""Mixing laws by their name in the config and the tables. A new one is a file and an entry here."""

DECIDING_LAWS = tuple(name for name, law in MIXING_LAWS.items() if law.decides_from is not None)
"""The laws that the config may name."""


def candidate_laws(num_mixtures: int, pinned: str | None = None) -> tuple[str, ...]:
    """Return the laws that the folds of so many mixtures compare, and the pinned one with them."""
    return tuple(
        name
        for name, law in MIXING_LAWS.items()
        if name == pinned or (law.decides_from is not None and law.decides_from <= num_mixtures)
    )
