"""Mixing laws: the loss of every validation domain as a function of the proportions."""

from __future__ import annotations

from mixlaws.laws.mixing.additive import Additive
from mixlaws.laws.mixing.exponent import AdditivePower
from mixlaws.laws.mixing.exponential import Exponential
from mixlaws.laws.mixing.form import MixingLaw
from mixlaws.laws.mixing.implicit import Implicit
from mixlaws.laws.mixing.rejected import M1, M2, M3
from mixlaws.laws.mixing.square_root import SquareRoot

MIXING_LAWS: dict[str, type[MixingLaw]] = {
    law.name: law
    for law in (Additive, Exponential, M1, M2, M3, Implicit, SquareRoot, AdditivePower)
}
"""Mixing laws by their name in the config and the tables. A new one is a file and an entry here."""

DECIDING_LAWS = tuple(name for name, law in MIXING_LAWS.items() if law.may_decide)
"""The laws that the folds may choose and the config may name."""
