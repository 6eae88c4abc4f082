"""How the errors of each pipeline grow with distance on public swarms: the prior of one's own.

Each shape is (a, b, c) of `distance_errors`, fitted to one swarm's folds without shrinking and
scaled to a + b + c = 1. Source: `python benchmarks/calibration.py --pooled` on the published logs
of Ye et al. (2403.16952): 5mix, 26 mixtures, and redpajama, 20 mixtures, 70M-410M; no run at 1B.
The table is kept by swarm so that a swarm under test can be left out of its own prior.
"""

from __future__ import annotations

import numpy as np

from mixlaws.scoring.distance_errors import Pooled, Shape

Table = dict[str, dict[str, tuple[Shape, Shape]]]
"""Pipeline, swarm -> shapes of (the validation domains, the overall loss)."""

LEVELS: Table = {
    "nested": {
        "5mix": ((0.085, 0.103, 0.813), (0.047, 0.048, 0.904)),
        "redpajama": ((0.138, 0.169, 0.692), (0.209, 0.0, 0.791)),
    },
    "joint": {
        "5mix": ((0.357, 0.304, 0.339), (0.221, 0.224, 0.554)),
        "redpajama": ((0.503, 0.317, 0.181), (0.736, 0.137, 0.127)),
    },
}
DIFFERENCES: Table = {
    "nested": {
        "5mix": ((0.17, 0.262, 0.568), (0.142, 0.225, 0.633)),
        "redpajama": ((0.219, 0.291, 0.49), (0.52, 0.057, 0.423)),
    },
    "joint": {
        "5mix": ((0.612, 0.229, 0.158), (0.663, 0.01, 0.328)),
        "redpajama": ((0.734, 0.215, 0.051), (0.62, 0.366, 0.014)),
    },
}
TABLES = {"levels": LEVELS, "differences": DIFFERENCES}


def pooled_shapes(pipeline: str, of: str, leave_out: str | None = None) -> Pooled:
    """Return the mean shapes over the public swarms.

    `of` is levels or differences. A pipeline that was not measured there (loglog) takes nested's.
    """
    table = TABLES[of].get(pipeline, TABLES[of]["nested"])
    used = [shapes for swarm, shapes in table.items() if swarm != leave_out]
    a, b, c = np.mean(used, axis=0).T
    domains, overall = zip(a.tolist(), b.tolist(), c.tolist(), strict=True)
    return Pooled(domains, overall, len(used))
