"""What the law at the target says of all mixtures: its surface, and how domains interact."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mixlaws.decision.decide import Evidence
from mixlaws.decision.intervals import predict_losses

INTERACTION_STEP = 0.1  # of the share that is moved, in the table of interactions
SURFACE_POINTS = 33  # along an edge of the simplex, or along a domain's share


def surface_table(evidence: Evidence, optimum: Mapping[str, float]) -> pd.DataFrame:
    """Return predicted overall losses over the simplex; intervals are of the expected loss.

    On a lattice for up to three domains, else along the lines through the optimum on which one
    share varies and the others keep their ratios.
    """
    domains = list(optimum)
    points = _surface_points(np.array(list(optimum.values())))
    interval = predict_losses(evidence.law, points, evidence.bounds)
    table = pd.DataFrame(points, columns=[f"r_{domain}" for domain in domains])
    return table.assign(
        overall=interval.value[:, -1],
        overall_lower=interval.lower[:, -1],
        overall_upper=interval.upper[:, -1],
    )


def interaction_table(evidence: Evidence) -> pd.DataFrame:
    """Return how 10 points more of each domain, from uniform, change each validation loss."""
    domains = evidence.observations.domains
    uniform = np.full(len(domains), 1 / len(domains))
    rows = []
    for index, domain in enumerate(domains):
        moved = uniform * (1 - INTERACTION_STEP / (1 - uniform[index]))
        moved[index] = uniform[index] + INTERACTION_STEP
        change = np.diff(evidence.law.predict(np.array([uniform, moved])), axis=0)[0]
        rows += [
            {"validation_domain": name, "domain": domain, "effect": float(effect)}
            for name, effect in zip(evidence.bounds.columns.validation_domains, change, strict=True)
        ]
    return pd.DataFrame(rows)


def _surface_points(best: np.ndarray) -> np.ndarray:
    shares = np.linspace(0, 1, SURFACE_POINTS)
    if len(best) == 2:
        return np.column_stack([shares, 1 - shares])
    if len(best) == 3:
        pairs = np.array([(a, b) for a in shares for b in shares if a + b <= 1 + 1e-9])
        return np.column_stack([pairs, np.clip(1 - pairs.sum(axis=1), 0, 1)])
    lines = []
    for index, share in enumerate(best):
        if share < 1:
            others = np.delete(best, index) / (1 - share)
            lines += [np.insert(others * (1 - value), index, value) for value in shares]
    return np.array(lines)
