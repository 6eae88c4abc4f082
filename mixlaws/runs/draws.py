"""Which domain each sequence of a run is drawn from: a pure function of the seed.

All mixtures of one seed use the same random numbers, so what a run will draw is known, exactly,
before it is trained.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

# Streams of the counter-based generator: the second half of its 128-bit key.
DOMAIN_STREAM = 0
WINDOW_STREAM = 1
SUBSET_STREAM = 2


def generator(seed: int, stream: int, *position: int) -> np.random.Generator:
    """Return the generator of one named stream, independent of every other."""
    key = np.random.SeedSequence([seed, stream, *position]).generate_state(2, np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def draw_uniforms(seed: int, num_sequences: int) -> np.ndarray:
    """Return the numbers (num_sequences,) in [0, 1) that choose each sequence's domain.

    Sequence k is of domain j where the sum of the first j shares is at most its number, and that of
    the first j + 1 shares above it.
    """
    return generator(seed, DOMAIN_STREAM).random(num_sequences)


class Draws:
    """The random numbers of one seed, sorted: any mixture's draws are counted at once."""

    def __init__(self, seed: int, num_sequences: int) -> None:
        self._sorted = np.sort(draw_uniforms(seed, num_sequences))

    def count(self, proportions: Mapping[str, float]) -> dict[str, int]:
        """Return how many sequences each domain gives over the whole run."""
        edges = np.cumsum(list(proportions.values()))[:-1]
        below = np.searchsorted(self._sorted, edges, side="left")
        counts = np.diff([0, *below, len(self._sorted)])
        return dict(zip(proportions, map(int, counts), strict=True))
