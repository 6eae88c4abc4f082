"""Mixtures, and the lattice on which their proportions lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mixlaws.errors import ConfigError

# Mixtures that have a name instead of a number.
UNIFORM = "uniform"
"""Equal shares, or the nearest shares within the limits."""
NATURAL = "natural"
"""Each domain's share of the text: stated, or known once the text is tokenized."""
OPTIMUM = "optimum"
"""The best proportions for the target, on the lattice, known once the laws are fitted."""

Limits = Mapping[str, Sequence[float]]
"""Lower and upper limit of each domain's share, in the order of the domains."""


@dataclass(frozen=True)
class Mixture:
    """Proportions with an id."""

    id: str
    kind: str
    """sample, held-out, baseline or named."""
    proportions: dict[str, float]


def whole_shares(stated: Mapping[str, float], domains: Sequence[str]) -> dict[str, float]:
    """Return the share of every domain, 0 if not stated, rescaled to sum to 1 without rounding."""
    total = sum(stated.values())
    return {domain: stated.get(domain, 0.0) / total for domain in domains}


def round_to_lattice(shares: Sequence[float], lattice: int, limits: Limits) -> np.ndarray:
    """Return the counts of the lattice point nearest to the shares and within the limits.

    The counts are integers that sum to `lattice`. Raises ConfigError if no lattice point lies
    within the limits.
    """
    lowest, highest = lattice_limits(lattice, limits)
    exact = np.asarray(shares, dtype=float) * lattice
    counts = np.clip(np.floor(exact + 1e-9).astype(int), lowest, highest)
    while (missing := lattice - counts.sum()) != 0:
        sign = 1 if missing > 0 else -1
        room = counts < highest if sign > 0 else counts > lowest
        counts[np.argmax(np.where(room, sign * (exact - counts), -np.inf))] += sign
    return counts


def lattice_limits(lattice: int, limits: Limits) -> tuple[np.ndarray, np.ndarray]:
    """Return the limits as integer counts; raise ConfigError if no mixture is within them."""
    pairs = np.array([limits[domain] for domain in limits], dtype=float)
    lowest = np.ceil(pairs[:, 0] * lattice - 1e-9).astype(int)
    highest = np.floor(pairs[:, 1] * lattice + 1e-9).astype(int)
    if lowest.sum() > lattice or highest.sum() < lattice or (lowest > highest).any():
        raise ConfigError(
            f"no mixture on the 1/{lattice} lattice is within the limits {dict(limits)}: rounded "
            f"to the lattice, the lower limits sum to {lowest.sum()}/{lattice} and the upper ones "
            f"to {highest.sum()}/{lattice}. Widen the limits, or raise mixtures.lattice"
        )
    return lowest, highest


def equal_shares(limits: Limits) -> dict[str, float]:
    """Return 1/K for each of K domains, or the nearest shares (Euclidean) within the limits.

    The nearest shares are all shifted by the same amount and clipped to the limits. There must be
    a mixture within the limits.
    """
    share = 1 / len(limits)
    low, high = np.array([limits[domain] for domain in limits], dtype=float).T
    if (low <= share).all() and (share <= high).all():
        return dict.fromkeys(limits, share)
    # The sum increases with the shift, and is linear between shifts at which a share meets a limit.
    shifts = np.unique(np.concatenate([low - share, high - share]))
    sums = np.clip(share + shifts[:, None], low, high).sum(axis=1)
    shares = np.clip(share + np.interp(1.0, sums, shifts), low, high)
    return dict(zip(limits, shares.tolist(), strict=True))
