"""Designs: ways to choose the mixtures to train."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mixlaws.errors import ConfigError
from mixlaws.mixtures.lattice import (
    UNIFORM,
    Limits,
    Mixture,
    equal_shares,
    lattice_limits,
    round_to_lattice,
)

MAX_HELD_OUT = 32
MIN_FITTED_MIXTURES = 4
"""Different mixtures that the laws must be fitted to. One is left out at a time, and the bootstrap
resamples them: of four, one resample in 64 has a single mixture; of three, one in nine."""
MAX_ENUMERATED = 50_000
POOL_SIZE = 20_000
# Held-out mixtures come from the interior of the limits, because laws are used there.
HELD_OUT_CONCENTRATION = 3.0
# The pool has sparse and dense mixtures, so that a space-filling design finds both.
POOL_CONCENTRATIONS = (0.2, 0.5, 1.0, 2.0, 5.0)
# The paper's algorithm 2 halves the levels until they fall below this share.
DIMINISHING_STEP = 1 / 16
_HELD_OUT_STREAM, _SAMPLE_STREAM = 0, 1


def default_count(num_domains: int) -> int:
    """Return the default number of sampled mixtures: 2.5 per domain + 4, minus two baselines."""
    return math.ceil(2.5 * num_domains + 4) - 2


@dataclass(frozen=True)
class Design:
    """How the mixtures of an experiment are chosen."""

    name: str
    """A key of DESIGNS."""
    count: int
    """Number of sampled mixtures."""
    num_held_out: int
    lattice: int
    """Sampled and held-out proportions are multiples of 1/lattice."""
    limits: Limits
    seed: int


def choose_mixtures(design: Design) -> list[Mixture]:
    """Return the sampled mixtures, the held-out ones and the uniform one, in this order.

    The natural mixture is not included, because its shares are unknown until the text is tokenized.
    Raises ConfigError if there are fewer mixtures within the limits than requested.
    """
    lattice, limits, seed = design.lattice, design.limits, design.seed
    # No sampled or held-out mixture is the lattice point nearest to uniform.
    middle = round_to_lattice([1 / len(limits)] * len(limits), lattice, limits)
    held_out = _distinct(
        _interior(lattice, limits, seed), MAX_HELD_OUT, taken=[middle], strict=False
    )
    candidates = DESIGNS[design.name](lattice, limits, seed, middle)
    sample = _distinct(candidates, design.count, taken=[middle, *held_out], strict=True)
    if design.num_held_out > len(held_out):
        raise ConfigError(
            f"mixtures.held_out asks for {design.num_held_out} mixtures, but only {len(held_out)} "
            "are within mixtures.limits on this lattice. Lower mixtures.held_out, or raise "
            "mixtures.lattice"
        )
    named = [(f"mix-{i:03d}", "sample", counts) for i, counts in enumerate(sample, start=1)]
    named += [
        (f"held-{i:03d}", "held-out", counts)
        for i, counts in enumerate(held_out[: design.num_held_out], start=1)
    ]
    chosen = [
        Mixture(id, kind, dict(zip(limits, (counts / lattice).tolist(), strict=True)))
        for id, kind, counts in named
    ]
    return [*chosen, Mixture(UNIFORM, "baseline", equal_shares(limits))]


def _distinct(
    candidates: Iterator[np.ndarray], count: int, *, taken: Sequence[np.ndarray], strict: bool
) -> list[np.ndarray]:
    """Return the first `count` candidates that are neither taken nor repeated."""
    seen = {tuple(counts) for counts in taken}
    chosen: list[np.ndarray] = []
    for counts in candidates:
        if len(chosen) == count:
            break
        if tuple(counts) not in seen:
            seen.add(tuple(counts))
            chosen.append(counts)
    if strict and len(chosen) < count:
        raise ConfigError(
            f"mixtures.count asks for {count} mixtures, but only {len(chosen)} are within "
            f"mixtures.limits on this lattice beside the {len(taken) - 1} that are kept for "
            "held-out ones. Lower mixtures.count, widen the limits, or raise mixtures.lattice"
        )
    return chosen


def _draws(
    lattice: int, limits: Limits, generator: np.random.Generator, concentration: float, count: int
) -> np.ndarray:
    """Return the lattice counts, (at most `count`, K), of Dirichlet draws within the limits."""
    pairs = np.array([limits[domain] for domain in limits], dtype=float)
    draws = generator.dirichlet([concentration] * len(pairs), size=count)
    exact = (pairs[:, 0] + (1 - pairs[:, 0].sum()) * draws) * lattice
    counts = np.floor(exact).astype(int)
    # Round up the largest remainders of each row until its counts sum to the lattice.
    rank = np.argsort(np.argsort(counts - exact, axis=1, kind="stable"), axis=1)
    counts += rank < (lattice - counts.sum(axis=1))[:, None]
    lowest, highest = lattice_limits(lattice, limits)
    return counts[((counts >= lowest) & (counts <= highest)).all(axis=1)]


def _interior(lattice: int, limits: Limits, seed: int) -> Iterator[np.ndarray]:
    """Yield mixtures well inside the limits; their random stream is independent of the sample's."""
    generator = np.random.default_rng([seed, _HELD_OUT_STREAM])
    yield from _draws(lattice, limits, generator, HELD_OUT_CONCENTRATION, POOL_SIZE // 10)


def maximin(lattice: int, limits: Limits, seed: int, uniform: np.ndarray) -> Iterator[np.ndarray]:
    """Yield lattice points, each the farthest from uniform and from all earlier ones.

    Distances are between square roots of shares, because losses curve most at small shares.
    """
    pool = _pool(lattice, limits, seed)
    points = np.sqrt(pool / lattice)
    distance = np.linalg.norm(points - np.sqrt(uniform / lattice), axis=1)
    while distance.max() > 0:
        # A symmetric lattice has many ties. The first one in the pool wins; 1e-12 absorbs rounding.
        index = int(np.argmax(distance >= distance.max() - 1e-12))
        yield pool[index]
        distance = np.minimum(distance, np.linalg.norm(points - points[index], axis=1))


def _pool(lattice: int, limits: Limits, seed: int) -> np.ndarray:
    """Return every lattice point within the limits, or a large seeded sample of them."""
    lowest, highest = lattice_limits(lattice, limits)
    if math.comb(lattice - lowest.sum() + len(limits) - 1, len(limits) - 1) <= MAX_ENUMERATED:
        return np.array(list(_enumerate(lattice, list(zip(lowest, highest, strict=True)))))
    generator = np.random.default_rng([seed, _SAMPLE_STREAM])
    share = POOL_SIZE // len(POOL_CONCENTRATIONS)
    draws = [_draws(lattice, limits, generator, c, share) for c in POOL_CONCENTRATIONS]
    return np.concatenate(draws)


def _enumerate(total: int, ranges: list[tuple[int, int]]) -> Iterator[np.ndarray]:
    """Yield every vector of counts within the ranges that sums to `total`."""
    (low, high), rest = ranges[0], ranges[1:]
    if not rest:
        if low <= total <= high:
            yield np.array([total])
        return
    for first in range(low, min(high, total) + 1):
        for tail in _enumerate(total - first, rest):
            yield np.concatenate([[first], tail])


def dirichlet(lattice: int, limits: Limits, seed: int, _: np.ndarray) -> Iterator[np.ndarray]:
    """Yield uniform draws from the simplex within the limits."""
    generator = np.random.default_rng([seed, _SAMPLE_STREAM])
    yield from _draws(lattice, limits, generator, 1.0, POOL_SIZE)


def double_diminishing(
    lattice: int, limits: Limits, seed: int, _: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield the candidates of the paper's algorithm 2; every fourth one has a zero share."""
    candidates = diminishing_candidates({domain: pair[1] for domain, pair in limits.items()})
    generator = np.random.default_rng([seed, _SAMPLE_STREAM])
    order = generator.permutation(len(candidates))
    has_zero = (candidates == 0).any(axis=1)
    queues = {flag: iter(candidates[order[has_zero[order] == flag]]) for flag in (False, True)}
    for place in range(len(candidates)):
        flag = place % 4 == 3
        share = next(queues[flag], None)
        share = next(queues[not flag], None) if share is None else share
        if share is not None:
            yield round_to_lattice(share, lattice, limits)


def diminishing_candidates(highest: Mapping[str, float]) -> np.ndarray:
    """Return the candidates (n, K) of the paper's algorithm 2, domains in the order of `highest`.

    The largest share of a domain is its upper limit rounded down to a multiple of 1/16. It may also
    have a half of that, a quarter, and so on down to 1/16, or zero. The domain with the smallest
    limit gets the remainder, if its limit allows.
    """
    domains = sorted(highest, key=lambda domain: -highest[domain])
    partial: list[tuple[float, ...]] = [()]
    for domain in domains[:-1]:
        levels = _levels(highest[domain])
        partial = [(*head, level) for head in partial for level in levels if sum(head) + level <= 1]
    rest = domains[-1]
    full = {(*head, 1 - sum(head)) for head in partial if 1 - sum(head) <= highest[rest]}
    columns = [domains.index(domain) for domain in highest]
    return np.array(sorted(full, reverse=True))[:, columns]


def _levels(highest: float) -> list[float]:
    """Return the shares that one domain may have, from the largest to zero."""
    level = DIMINISHING_STEP * math.floor(min(highest, 1.0) / DIMINISHING_STEP)
    levels = []
    while level >= DIMINISHING_STEP:
        levels.append(level)
        level /= 2
    return [*levels, 0.0]


DESIGNS = {"maximin": maximin, "dirichlet": dirichlet, "double_diminishing": double_diminishing}
