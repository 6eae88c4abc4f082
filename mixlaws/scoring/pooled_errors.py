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
        "5mix": ((0.056, 0.138, 0.806), (0.017, 0.181, 0.802)),
        "redpajama": ((0.127, 0.112, 0.761), (0.162, 0.0, 0.838)),
    },
    "joint": {
        "5mix": ((0.351, 0.312, 0.337), (0.173, 0.246, 0.581)),
        "redpajama": ((0.56, 0.283, 0.157), (0.806, 0.072, 0.121)),
    },
}
DIFFERENCES: Table = {
    "nested": {
        "5mix": ((0.185, 0.268, 0.547), (0.111, 0.306, 0.582)),
        "redpajama": ((0.197, 0.252, 0.551), (0.406, 0.0, 0.594)),
    },
    "joint": {
        "5mix": ((0.608, 0.24, 0.152), (0.693, 0.0, 0.307)),
        "redpajama": ((0.748, 0.205, 0.048), (0.617, 0.366, 0.017)),
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
