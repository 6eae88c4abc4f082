"""The mixture of least predicted loss within limits, with a proof of how good it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import LinearConstraint, NonlinearConstraint, linprog, minimize

from mixlaws.decision.limits import Limits
from mixlaws.decision.objective import Objective, check_objective
from mixlaws.errors import FitError
from mixlaws.laws.law import Law

# A gap above this is no certificate: predicted losses are known to 1e-3 nats at best.
CERTIFIED_GAP = 1e-6

_POLISHED_GAP = 1e-7

# How far towards the centre the law is evaluated, search after search: r^g has no finite slope at
# r = 0. The first search is enough for weighted sums; the rest rescue maxima of many losses.
_PULLS = (1e-9, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-9)

# A share nearer than this to its limit is at it: solver precision, far below any lattice.
_AT_LIMIT = 1e-6


@dataclass(frozen=True)
class ActiveConstraint:
    """A limit that the optimum touches, and what moving it would be worth."""

    name: str
    """Domain or group."""
    side: str
    """lower, upper or pinned."""
    limit: float
    shadow_price: float
    """Change of the objective in nats per unit by which the limit is raised."""
    shadow_price_per_billion_tokens: float | None
    """The same per 1e9 more tokens of the domain (negative: they lower the loss). None for groups.

    Tokens that exist for an upper limit set by availability, else trained tokens."""


@dataclass(frozen=True, eq=False)
class Optimum:
    """The best mixture found and the evidence for it."""

    proportions: np.ndarray
    """(K,) within the limits."""
    value: float
    """The objective."""
    losses: np.ndarray
    """(V,) predicted losses."""
    overall: float
    """Weighted sum of the losses."""
    gap: float
    """Frank-Wolfe gap: no allowed mixture has an objective lower than value - gap if `convex`."""
    convex: bool
    num_starts: int
    """Local searches made: 1 proves a convex law's optimum; more only make another's likely."""
    active: tuple[ActiveConstraint, ...]

    @property
    def certified(self) -> bool:
        """Return whether this is the global optimum of its law to 1e-6 nats."""
        return self.convex and self.gap <= CERTIFIED_GAP


def minimise_objective(
    law: Law, objective: Objective, limits: Limits, *, start: np.ndarray | None = None
) -> Optimum:
    """Minimise the objective over the allowed mixtures, by sequential quadratic programming.

    A convex law is solved once, from the centre of the limits, until the Frank-Wolfe gap (Jaggi
    2013, section 2) is at most 1e-7. Another law is also solved from half way to as much as allowed
    of each domain in turn. `start` (K,), the optimum of a law much like this one, replaces these:
    the search begins half way to it, and for a law that is not convex once more at it.
    A domain limited to 0 is left out.

    Raises:
        ConfigError: weights or a prior that cannot define an objective.
        FitError: the law predicts losses that are not finite.
    """
    check_objective(objective, limits)
    problem = _Problem(law, objective, limits, _PULLS[-1])
    starts = _starts(limits, start)
    if law.convex:
        starts = starts[:1]
    points = np.array([_solve_from(problem, point) for point in starts])
    best = points[problem.values(points).argmin()]
    linear = problem.linearise(best)
    losses = law.predict(best[None])[0]
    value = float(problem.values(best[None])[0])
    return Optimum(
        proportions=best,
        value=value,
        losses=losses,
        overall=float(objective.weights @ losses),
        gap=max(value - linear.bound, 0.0),
        convex=law.convex,
        num_starts=len(starts),
        active=_active_constraints(best, limits, linear),
    )


@dataclass(frozen=True, eq=False)
class _Linear:
    """The linearised problem: its minimum and how that moves with each limit."""

    bound: float
    lower: np.ndarray
    upper: np.ndarray
    group_lower: np.ndarray
    group_upper: np.ndarray


@dataclass(frozen=True, eq=False)
class _Problem:
    """A law, an objective and limits as functions of one mixture (K,)."""

    law: Law
    objective: Objective
    limits: Limits
    pull: float
    """How far towards the centre of the limits the law is evaluated."""

    def values(self, points: np.ndarray) -> np.ndarray:
        """Return (m,) objective values of (m, K) mixtures."""
        return self.objective.value(self.law.predict(points), points)

    def pulled(self, point: np.ndarray) -> np.ndarray:
        """Return the mixture just inside the limits at which the law is evaluated."""
        return (1 - self.pull) * point + self.pull * self.limits.center

    def model(self, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return losses (V,) and their slopes (V, K) at the pulled mixture."""
        inside = self.pulled(point)[None]
        losses = self.law.predict(inside)[0]
        allowed = self.limits.upper > 0
        slopes = np.where(allowed, self.law.gradient(inside)[0], 0.0)
        if not (np.isfinite(losses).all() and np.isfinite(slopes).all()):
            raise FitError(
                f"the {self.law.name} law predicts the losses {losses}, with slopes that are not "
                f"finite, at {point}: fit it again or choose another law in laws.mixing"
            )
        return losses, slopes

    def smooth(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        """Return all of the objective but the maximum, and its slope (K,)."""
        losses, slopes = self.model(point)
        inside = self.pulled(point)
        weights = (1 - self.objective.maximum_share) * self.objective.weights
        value = weights @ losses + self.objective.divergence(inside[None])[0]
        return float(value), weights @ slopes + self.objective.divergence_slope(inside)

    def gap(self, point: np.ndarray) -> float:
        """Return by how much the objective exceeds the minimum of its linear model."""
        return float(self.values(point[None])[0]) - self.linearise(point).bound

    def linearise(self, point: np.ndarray) -> _Linear:
        """Minimise the linear model over the allowed mixtures, the maximum being a variable.

        A convex law is nowhere below its linear model, so this bounds the objective from below.
        """
        inside, groups = self.pulled(point), self.limits.membership
        value, slope = self.smooth(point)
        losses, slopes = self.model(point)
        used = (self.objective.weights > 0) & (self.objective.maximum_share > 0)
        rows = np.concatenate([slopes[used], groups, -groups])
        maximum = np.repeat([-1.0, 0.0], [used.sum(), 2 * len(groups)])
        tangents = (slopes @ inside - losses)[used]
        result = linprog(
            np.append(slope, self.objective.maximum_share),
            A_ub=np.column_stack([rows, maximum]),
            b_ub=np.concatenate([tangents, self.limits.group_upper, -self.limits.group_lower]),
            A_eq=np.append(np.ones_like(inside), 0.0)[None],
            b_eq=[1.0],
            bounds=[*zip(self.limits.lower, self.limits.upper, strict=True), (None, None)],
            method="highs",
        )
        if result.status != 0 or result.fun is None:
            none, none_groups = np.zeros_like(inside), np.zeros(len(groups))
            return _Linear(-np.inf, none, none, none_groups, none_groups)
        above, below = np.split(result.ineqlin.marginals[used.sum() :], 2)
        return _Linear(
            bound=result.fun + value - float(slope @ inside),
            lower=result.lower.marginals[:-1],
            upper=result.upper.marginals[:-1],
            group_lower=-below,
            group_upper=above,
        )


def _starts(limits: Limits, start: np.ndarray | None) -> list[np.ndarray]:
    """Return where to search from; the first is enough for a convex law."""
    if start is not None:
        return [0.5 * (start + limits.center), start]
    ends = [limits.furthest(unit) for unit in np.eye(len(limits.domains))]
    return [limits.center, *(0.5 * (limits.center + end) for end in ends)]


def _solve_from(problem: _Problem, start: np.ndarray) -> np.ndarray:
    """Return a mixture whose gap is polished away, or the best that was reached.

    Where the direct search fails, the slopes near r = 0 are too steep for it: the law is then
    evaluated well inside the limits first, and ever closer to them.
    """
    best, point, least = start, start, np.inf
    for pull in _PULLS:
        point = problem.limits.repair(_search(replace(problem, pull=pull), point))
        value = float(problem.values(point[None])[0])
        if value < least:
            best, least = point, value
        if problem.gap(best) <= _POLISHED_GAP:
            break
    return best


def _search(problem: _Problem, start: np.ndarray) -> np.ndarray:
    """Run one sequential quadratic program from a mixture; variables (r, maximum)."""
    limits, share = problem.limits, problem.objective.maximum_share

    def objective(variables: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = problem.smooth(variables[:-1])
        return value + share * variables[-1], np.append(slope, share)

    result = minimize(
        objective,
        np.append(start, problem.model(start)[0][problem.objective.weights > 0].max()),
        jac=True,
        method="SLSQP",
        bounds=[*zip(limits.lower, limits.upper, strict=True), (None, None)],
        constraints=_constraints(problem),
        options={"maxiter": 300, "ftol": 1e-15},
    )
    return np.asarray(result.x[:-1])


def _constraints(problem: _Problem) -> list[LinearConstraint | NonlinearConstraint]:
    """Return the sum to 1, each group and the maximum, over the variables (r, maximum)."""
    limits, used = problem.limits, problem.objective.weights > 0
    total = LinearConstraint(np.append(np.ones(len(limits.domains)), 0.0), 1.0, 1.0)
    groups = [
        LinearConstraint(np.append(row, 0.0), group.lower, group.upper)
        for row, group in zip(limits.membership, limits.groups, strict=True)
    ]
    if problem.objective.maximum_share == 0:
        return [total, *groups]

    def below_maximum(variables: np.ndarray) -> np.ndarray:
        return np.asarray(variables[-1] - problem.model(variables[:-1])[0][used])

    def slope(variables: np.ndarray) -> np.ndarray:
        slopes = problem.model(variables[:-1])[1][used]
        return np.column_stack([-slopes, np.ones(len(slopes))])

    return [total, *groups, NonlinearConstraint(below_maximum, 0.0, np.inf, jac=slope)]


def _active_constraints(
    point: np.ndarray, limits: Limits, linear: _Linear
) -> tuple[ActiveConstraint, ...]:
    """Return the limits that the mixture touches, domains first."""
    rows = zip(
        [*limits.domains, *(group.name for group in limits.groups)],
        np.concatenate([point, limits.membership @ point]),
        np.concatenate([limits.lower, limits.group_lower]),
        np.concatenate([limits.upper, limits.group_upper]),
        np.concatenate([linear.lower, linear.group_lower]),
        np.concatenate([linear.upper, linear.group_upper]),
        [*limits.share_per_billion_tokens, *[None] * len(limits.groups)],
        strict=True,
    )
    active = []
    for name, value, lower, upper, raise_lower, raise_upper, share in rows:
        side = _touched_side(value, lower, upper)
        if side is not None:
            limit = upper if side == "upper" else lower
            price = float(raise_lower + raise_upper)
            per_tokens = None if share is None else price * float(share)
            active.append(ActiveConstraint(name, side, float(limit), price, per_tokens))
    return tuple(active)


def _touched_side(value: float, lower: float, upper: float) -> str | None:
    """Return the limit that a share touches; 0 for good and at most 1 are no limits."""
    if upper == 0:
        return None
    if lower == upper:
        return "pinned"
    if value <= lower + _AT_LIMIT:
        return "lower"
    return "upper" if value >= upper - _AT_LIMIT and upper < 1 else None
