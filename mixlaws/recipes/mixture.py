"""The decided mixture with exact shares and the target's tokens, from which recipes are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from mixlaws.errors import ConfigError

OPTIMUM = "optimum"
LATTICE = 65_536
"""Shares in recipes are multiples of 1/65,536, so that they print and sum exactly."""
DOCUMENT_LATTICE = 2**24
"""Shares of documents are multiples of 1/2^24: that of a domain of long documents can be small."""
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
    document_tokens: Mapping[str, float] = field(default_factory=dict)
    """Mean tokens per document of each domain, where known."""

    @classmethod
    def of(
        cls,
        optimum: Mapping[str, Any],
        name: str = OPTIMUM,
        document_tokens: Mapping[str, float] | None = None,
    ) -> DecidedMixture:
        """Return a mixture and the target's tokens of optimum.json, on the lattice of recipes.

        `name` is that of the optimum or of a baseline. Raises ConfigError if a proportion is
        negative or the proportions do not sum to 1.
        """
        record = optimum if name == OPTIMUM else optimum["baselines"][name]
        proportions = {domain: float(r) for domain, r in record["proportions"].items()}
        if min(proportions.values()) < 0 or abs(sum(proportions.values()) - 1) > SUM_ERROR:
            raise ConfigError(
                f"the proportions of {'the ' * (name == OPTIMUM)}{name} do not sum to 1 or are "
                f"below 0: {proportions}. Rerun find_optimum"
            )
        counts = count_parts(proportions, LATTICE)
        shares = {domain: Fraction(count, LATTICE) for domain, count in counts.items()}
        tokens = int(optimum["target"]["tokens"])
        return cls(name, LATTICE, shares, tokens, dict(document_tokens or {}))

    @property
    def used(self) -> dict[str, float]:
        """Return the shares above 0, which sum to 1."""
        return {domain: float(share) for domain, share in self.shares.items() if share > 0}

    @property
    def unmeasured(self) -> list[str]:
        """Return the used domains whose tokens per document are not known."""
        return [domain for domain in self.used if domain not in self.document_tokens]

    @property
    def documents(self) -> dict[str, float] | None:
        """Return the shares of documents above 0 that give these shares of tokens; sum 1.

        A domain's share of documents goes as its share of tokens over its tokens per document.
        None if these are not known of every used domain.
        """
        if self.unmeasured:
            return None
        rates = {name: share / self.document_tokens[name] for name, share in self.used.items()}
        total = sum(rates.values())
        shares = {name: rate / total for name, rate in rates.items()}
        parts = count_parts(shares, DOCUMENT_LATTICE)
        return {name: count / DOCUMENT_LATTICE for name, count in parts.items()}

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
