"""Estimates in JSON: a value with its two intervals, of what is expected and of one new run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from mixlaws.decision.intervals import Bounds, Interval, predict_losses
from mixlaws.laws.law import Law
from mixlaws.scoring.difference_variance import Kind

KINDS: tuple[Kind, Kind] = ("expected", "single_run")
"""In the order of `estimate`."""


def estimate(expected: Interval, one_run: Interval, column: int) -> dict[str, Any]:
    """Return the estimate at the first row: value, lower, upper and `one_run` [lower, upper].

    lower and upper are of the expected loss (or difference), `one_run` of a new run's.
    """
    return {
        "value": float(expected.value[0, column]),
        "lower": float(expected.lower[0, column]),
        "upper": float(expected.upper[0, column]),
        "one_run": [float(one_run.lower[0, column]), float(one_run.upper[0, column])],
    }


def estimate_losses(law: Law, proportions: np.ndarray, bounds: Bounds) -> dict[str, dict[str, Any]]:
    """Return the estimate at proportions (K,) of each validation domain and of `overall`."""
    expected, one_run = (predict_losses(law, proportions[None], bounds, kind) for kind in KINDS)
    return {name: estimate(expected, one_run, i) for i, name in enumerate(bounds.columns.names)}


def of_mean(estimate: Mapping[str, Any], num_seeds: int) -> dict[str, float]:
    """Return value, lower and upper of the mean over new runs of several seeds.

    The noise of a run, which `one_run` adds to the variance, counts 1 / num_seeds.
    """
    value = float(estimate["value"])
    expected = value - estimate["lower"]
    noise = (value - estimate["one_run"][0]) ** 2 - expected**2
    half = math.sqrt(expected**2 + max(noise, 0.0) / num_seeds)
    return {"value": value, "lower": value - half, "upper": value + half}
