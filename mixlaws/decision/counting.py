"""How FLOPs are counted: by the rule 6 N D, or with the vocabulary head and attention."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixlaws.laws.observations import Observations, Target

RULE, COUNTED = "6ND", "counted"
COUNTS = (RULE, COUNTED)
SPAN = 1e6
"""Sizes are converted up to this factor beyond those that are known."""
NUM_POINTS = 4001


@dataclass(frozen=True, eq=False)
class Sizes:
    """Converts N to the parameters P that FLOPs are counted by, C = 6 P D, and back.

    P is N by the rule 6 N D, and else FLOPs per token / 6. ln(P / N) is linear in ln N between
    the sizes that are known, goes on so beyond them, and is never negative.
    """

    log_num_params: np.ndarray
    """(k,) ln N of a fine grid, increasing."""
    log_params: np.ndarray
    """(k,) ln P."""

    @classmethod
    def of(cls, observations: Observations, target: Target, count: str) -> Sizes:
        """Return the sizes of the runs and of the target, counted by RULE or COUNTED."""
        known = dict(zip(observations.num_params, observations.compute_params, strict=True))
        known[target.num_params] = target.compute_params
        size = np.log(sorted(known))
        more = np.log([known[each] for each in sorted(known)]) - size
        grid = np.linspace(size[0] - np.log(SPAN), size[-1] + np.log(SPAN), NUM_POINTS)
        extra = np.zeros(NUM_POINTS) if count == RULE else np.maximum(_extend(grid, size, more), 0)
        return cls(grid, grid + extra)

    def params_of(self, num_params: float | np.ndarray) -> np.ndarray:
        """Return P of sizes N."""
        return np.exp(np.interp(np.log(num_params), self.log_num_params, self.log_params))

    def num_params_of(self, params: float | np.ndarray) -> np.ndarray:
        """Return N of sizes P."""
        return np.exp(np.interp(np.log(params), self.log_params, self.log_num_params))

    def at_ratio(self, flops: float, ratio: float) -> tuple[float, float]:
        """Return N and D = ratio N with C = 6 P D."""
        cost = np.log(6 * ratio) + self.log_num_params + self.log_params
        num_params = float(np.exp(np.interp(np.log(flops), cost, self.log_num_params)))
        return num_params, ratio * num_params


def _extend(at: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Interpolate linearly; beyond the ends, go on along the last two points."""
    if len(x) == 1:
        return np.full(len(at), y[0])
    inside = np.interp(at, x, y)
    first, last = (y[1] - y[0]) / (x[1] - x[0]), (y[-1] - y[-2]) / (x[-1] - x[-2])
    below, above = y[0] + first * (at - x[0]), y[-1] + last * (at - x[-1])
    return np.where(at < x[0], below, np.where(at > x[-1], above, inside))
