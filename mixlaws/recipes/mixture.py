"""The decided mixture with exact shares and the target's tokens, from which recipes are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from mixlaws.errors import ConfigError

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
    def of(cls, record: Mapping[str, Any], target: Mapping[str, Any]) -> DecidedMixture:
        """Return the mixture in target_mixture.json for the target in optimum.json.

        Raises ConfigError if a proportion is negative or not a multiple of 1 / lattice, or if the
        proportions do not sum to 1.
        """
        name, lattice = record["mixture"], int(record["lattice"])
        counts = {domain: share * lattice for domain, share in record["proportions"].items()}
        shares = {domain: Fraction(round(count), lattice) for domain, count in counts.items()}
        off = [d for d, count in counts.items() if count < 0 or abs(count - round(count)) > 1e-9]
        if off or sum(shares.values()) != 1:
            raise ConfigError(
                f"the proportions of {name} are not multiples of 1/{lattice} that sum to 1: "
                f"{dict(record['proportions'])}. Rerun round_optimum to round them"
            )
        return cls(name, lattice, shares, int(target["tokens"]))

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
