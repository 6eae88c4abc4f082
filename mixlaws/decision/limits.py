"""Limits on proportions: per domain, per group, pinned, and by how many tokens exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from mixlaws.errors import ConfigError


@dataclass(frozen=True)
class GroupLimit:
    """Limits on the sum of the proportions of several domains."""

    name: str
    domains: tuple[str, ...]
    lower: float = 0.0
    upper: float = 1.0


@dataclass(frozen=True, eq=False)
class Limits:
    """The polytope of allowed mixtures; `make_limits` builds and checks it."""

    domains: tuple[str, ...]
    lower: np.ndarray
    """(K,) smallest allowed share."""
    upper: np.ndarray
    """(K,) largest allowed share."""
    groups: tuple[GroupLimit, ...]
    share_per_billion_tokens: np.ndarray
    """(K,) by how much 1e9 more tokens of a domain move its limit: 1e9 / target tokens, times the
    allowed epochs where the upper limit comes from the tokens that exist."""
    center: np.ndarray
    """(K,) an allowed mixture off every limit that leaves room."""

    @property
    def membership(self) -> np.ndarray:
        """Return (G, K): 1 where a domain belongs to a group."""
        return _membership(self.domains, self.groups)

    @property
    def group_lower(self) -> np.ndarray:
        """Return (G,) smallest allowed sums."""
        return np.array([group.lower for group in self.groups], dtype=float)

    @property
    def group_upper(self) -> np.ndarray:
        """Return (G,) largest allowed sums."""
        return np.array([group.upper for group in self.groups], dtype=float)

    def furthest(self, direction: np.ndarray) -> np.ndarray:
        """Return the allowed mixture with the largest direction @ r, for a direction (K,)."""
        result = scipy.optimize.linprog(
            -direction,
            A_ub=np.concatenate([self.membership, -self.membership]),
            b_ub=np.concatenate([self.group_upper, -self.group_lower]),
            A_eq=np.ones((1, len(self.domains))),
            b_eq=[1.0],
            bounds=list(zip(self.lower, self.upper, strict=True)),
            method="highs",
        )
        return np.asarray(result.x)

    def repair(self, point: np.ndarray) -> np.ndarray:
        """Return a mixture (K,) within the limits, given one that misses them by rounding.

        Bounds and the sum are met exactly, then groups by moving towards the centre.
        """
        point = np.clip(point, self.lower, self.upper)
        rest = 1.0 - point.sum()
        room = np.minimum(self.upper - point, point - self.lower)
        if room.sum() <= abs(rest):
            room = self.upper - point if rest > 0 else point - self.lower
        if rest != 0:
            point = np.clip(point + rest * room / room.sum(), self.lower, self.upper)
        sums, center = self.membership @ point, self.membership @ self.center
        excess = np.maximum(sums - self.group_upper, self.group_lower - sums)
        slack = np.minimum(self.group_upper - center, center - self.group_lower)
        broken = (excess > 0) & (slack > 0)
        pull = (excess[broken] / (excess[broken] + slack[broken])).max(initial=0.0)
        return np.asarray(point + pull * (self.center - point))

    def excess(self, proportions: np.ndarray) -> np.ndarray:
        """Return (m,): by how much each row of (m, K) breaks its worst limit; <= 0 is allowed."""
        sums = proportions @ self.membership.T
        below = np.concatenate([self.lower - proportions, self.group_lower - sums], axis=1)
        above = np.concatenate([proportions - self.upper, sums - self.group_upper], axis=1)
        return np.maximum(below, above).max(axis=1)


@dataclass(frozen=True, eq=False)
class _Inequalities:
    """rows @ r <= bounds; `texts` name each row to the user."""

    rows: np.ndarray
    bounds: np.ndarray
    texts: tuple[str, ...]

    def minimise(self, costs: np.ndarray, kept: Sequence[int] | None = None) -> np.ndarray | None:
        """Return the mixture of least costs @ r that meets the kept rows, None if none does."""
        chosen = list(range(len(self.bounds))) if kept is None else list(kept)
        result = scipy.optimize.linprog(
            costs,
            A_ub=self.rows[chosen],
            b_ub=self.bounds[chosen],
            A_eq=np.ones((1, len(costs))),
            b_eq=[1.0],
            bounds=(0.0, 1.0),
            method="highs",
        )
        return np.asarray(result.x) if result.status == 0 else None


def make_limits(
    domains: Sequence[str],
    target_tokens: float,
    *,
    shares: Mapping[str, tuple[float, float]] | None = None,
    groups: Sequence[GroupLimit] = (),
    available_tokens: Mapping[str, float] | None = None,
    max_epochs: float = 1.0,
) -> Limits:
    """Build the allowed mixtures: [lower, upper] per domain, groups, and token availability.

    A domain is pinned by lower = upper. A domain in `available_tokens` also gets the upper limit
    available_tokens * max_epochs / target_tokens: the share at which the target reads each of its
    tokens `max_epochs` times. Without any limit the whole simplex is allowed.

    Raises:
        ConfigError: an unknown domain, a limit outside [0, 1], or limits that no mixture meets:
            the message names a smallest set of them that conflicts.
    """
    shares, tokens = dict(shares or {}), dict(available_tokens or {})
    _check_names(domains, [*shares, *tokens, *(d for group in groups for d in group.domains)])
    _check_ranges({**shares, **{group.name: (group.lower, group.upper) for group in groups}})
    stated = np.array([shares.get(name, (0.0, 1.0)) for name in domains], dtype=float)
    supply = np.array([tokens.get(name, np.inf) for name in domains]) * max_epochs / target_tokens
    upper = np.minimum(stated[:, 1], supply)
    from_tokens = supply < stated[:, 1]
    inequalities = _inequalities(domains, stated[:, 0], upper, groups, from_tokens)
    return Limits(
        domains=tuple(domains),
        lower=stated[:, 0],
        upper=upper,
        groups=tuple(groups),
        share_per_billion_tokens=np.where(from_tokens, max_epochs, 1.0) * 1e9 / target_tokens,
        center=_find_center(inequalities),
    )


def make_decision_limits(
    domains: Sequence[str],
    options: Mapping[str, Any],
    available_tokens: Mapping[str, float | None],
    target_tokens: float,
) -> Limits:
    """Return the limits of the config's `optimum` section, `options`.

    Raises the ConfigError of `make_limits`.
    """
    return make_limits(
        domains,
        target_tokens,
        shares={domain: tuple(pair) for domain, pair in options["limits"].items()},
        groups=[
            GroupLimit(name, tuple(group["domains"]), *group["limits"])
            for name, group in options["groups"].items()
        ],
        available_tokens={d: float(n) for d, n in available_tokens.items() if n is not None},
        max_epochs=options["max_epochs"],
    )


def _check_names(domains: Sequence[str], named: Sequence[str]) -> None:
    """Raise if a limit names a domain that does not exist."""
    unknown = sorted(set(named) - set(domains))
    if unknown:
        raise ConfigError(
            f"limits name {unknown}, which are no training domains; those are {list(domains)}. "
            "Correct optimum.limits, optimum.groups or domains"
        )


def _check_ranges(stated: Mapping[str, tuple[float, float]]) -> None:
    """Raise if a stated limit is no share or a lower limit exceeds its upper one."""
    wrong = {name: list(pair) for name, pair in stated.items() if not 0 <= pair[0] <= pair[1] <= 1}
    if wrong:
        raise ConfigError(
            f"the limits {wrong} do not satisfy 0 <= lower <= upper <= 1: correct optimum.limits"
        )


def _membership(domains: Sequence[str], groups: Sequence[GroupLimit]) -> np.ndarray:
    """Return (G, K): 1 where a domain belongs to a group."""
    rows = [[float(name in group.domains) for name in domains] for group in groups]
    return np.array(rows, dtype=float).reshape(len(groups), len(domains))


def _inequalities(
    domains: Sequence[str],
    lower: np.ndarray,
    upper: np.ndarray,
    groups: Sequence[GroupLimit],
    from_tokens: np.ndarray,
) -> _Inequalities:
    """Return every lower and upper limit as a row; where the tokens set it, the text says so."""
    rows = np.concatenate([np.eye(len(domains)), _membership(domains, groups)])
    lows = np.concatenate([lower, [group.lower for group in groups]])
    highs = np.concatenate([upper, [group.upper for group in groups]])
    names = [*domains, *(group.name for group in groups)]
    origins = [" (by its available tokens)" if flag else "" for flag in from_tokens]
    origins += [f" (group of {', '.join(group.domains)})" for group in groups]
    texts = [f"{name} >= {low:.6g}" for name, low in zip(names, lows, strict=True)]
    texts += [
        f"{name} <= {high:.6g}{origin}"
        for name, high, origin in zip(names, highs, origins, strict=True)
    ]
    return _Inequalities(
        np.concatenate([-rows, rows]), np.concatenate([-lows, highs]), tuple(texts)
    )


def _find_center(inequalities: _Inequalities) -> np.ndarray:
    """Return the mean of the mixtures that go furthest from each limit in turn.

    Each limit that leaves room is left by one of them, so the mean is off all of these.
    """
    points = [inequalities.minimise(row) for row in inequalities.rows]
    found = [point for point in points if point is not None]
    if len(found) < len(points):
        raise ConfigError(
            "the limits leave no mixture: these cannot hold together with shares that sum to 1: "
            f"{'; '.join(_smallest_conflict(inequalities))}. Relax one of them in optimum.limits "
            "or optimum.groups, add tokens, or allow more epochs"
        )
    return np.mean(found, axis=0)


def _smallest_conflict(inequalities: _Inequalities) -> list[str]:
    """Return the texts of a set of limits that conflicts and stops to when any one is dropped."""
    kept = list(range(len(inequalities.bounds)))
    nothing = np.zeros(inequalities.rows.shape[1])
    for candidate in range(len(inequalities.bounds)):
        rest = [index for index in kept if index != candidate]
        if inequalities.minimise(nothing, rest) is None:
            kept = rest
    return [inequalities.texts[index] for index in kept]
