"""The decided mixture with exact shares and the target's tokens, from which recipes are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from mixlaws.errors import ConfigError

LATTICE = 65_536
"""Shares in recipes are multiples of 1/65,536, so that they print and sum exactly."""
SUM_ERROR = 1e-6
ZERO = 1e-9
"""A smaller share is a zero of the optimiser."""
DATA = "DATA"
"""Placeholder for the folder of the trainer's tokenized data; the user replaces it."""


@dataclass(frozen=True)
class DecidedMixture:
    """A mixture whose shares are multiples of 1 / lattice and sum to exactly 1."""

    name: str
    lattice: int
    shares: dict[str, Fraction]
    """Share of the training tokens by domain, zeros included."""
    total_tokens: int
    """Training tokens of the target."""

    @classmethod
    def of(cls, optimum: Mapping[str, Any]) -> DecidedMixture:
        """Return the mixture and the target's tokens of optimum.json, on the lattice of recipes.

        Raises ConfigError if a proportion is negative or the proportions do not sum to 1.
        """
        proportions = {domain: float(r) for domain, r in optimum["proportions"].items()}
        if min(proportions.values()) < 0 or abs(sum(proportions.values()) - 1) > SUM_ERROR:
            raise ConfigError(
                f"the proportions of the optimum do not sum to 1 or are below 0: {proportions}. "
                "Rerun find_optimum"
            )
        counts = count_parts(proportions, LATTICE)
        shares = {domain: Fraction(count, LATTICE) for domain, count in counts.items()}
        return cls("optimum", LATTICE, shares, int(optimum["target"]["tokens"]))

    @property
    def used(self) -> dict[str, float]:
        """Return the shares above 0, which sum to 1."""
        return {domain: float(share) for domain, share in self.shares.items() if share > 0}

    @property
    def counts(self) -> dict[str, int]:
        """Return each domain's number of lattice steps."""
        return {domain: int(share * self.lattice) for domain, share in self.shares.items()}

    @property
    def tokens(self) -> dict[str, int]:
        """Return each domain's training tokens, rounded."""
        return {domain: round(share * self.total_tokens) for domain, share in self.shares.items()}


def count_parts(proportions: Mapping[str, float], lattice: int) -> dict[str, int]:
    """Return how many of `lattice` parts each domain gets, by the largest remainder.

    A share above ZERO gets at least one part, however small it is.
    """
    exact = {domain: share * lattice for domain, share in proportions.items()}
    counts = {domain: int(part) for domain, part in exact.items()}
    for domain, share in proportions.items():
        if share > ZERO:
            counts[domain] = max(counts[domain], 1)
    missing = lattice - sum(counts.values())
    order = sorted(exact, key=lambda domain: counts[domain] - exact[domain])
    if missing < 0:  # small shares got a part of their own: the largest gives it
        largest = max(exact, key=lambda domain: exact[domain])
        return counts | {largest: counts[largest] + missing}
    for domain in order[:missing]:
        counts[domain] += 1
    return counts
