"""Figure 8: the number of steps that one mixture needs to reach the last loss of another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mixlaws.laws.power import PowerPriors, fit_power_laws
from mixlaws.losses.arrays import make_observations
from mixlaws.losses.swarm import Swarm
from mixlaws.paper.points import Settings, overall_losses
from mixlaws.tables import write_table

PLAIN = PowerPriors(exponent_sd=1e3, noise=1e-3)
"""A plain least-squares power law: almost no prior on the exponent."""
TABLE = ("runner", "first_step", "method", "ratio", "lower", "upper")


@dataclass(frozen=True, eq=False)
class Curve:
    """The overall loss of one run."""

    steps: np.ndarray
    """(P,) increasing steps."""
    losses: np.ndarray
    """(P,) losses, nats."""

    def since(self, first_step: int) -> Curve:
        """Return the part of the curve from a step on."""
        late = self.steps >= first_step
        return Curve(self.steps[late], self.losses[late])


def match_steps(
    study: str | Path,
    settings: Settings,
    *,
    draws: tuple[int, float],
    ratios: str | Path,
    curves: str | Path,
) -> None:
    """Write the ratios of steps and the loss curves of figure 8 for the study in a folder.

    `draws` is the seed and the level of the intervals.
    """
    swarm = Swarm.load(study)
    write_table(steps_to_match(swarm, settings, *draws), ratios)
    write_table(curve_table(swarm, settings), curves)


def loss_curve(swarm: Swarm, size: str, mixture: str) -> Curve:
    """Return the overall loss of one run over its steps."""
    seen = make_observations(swarm)
    rows = seen.select((seen.size == size) & (seen.mixture == mixture))
    order = rows.step.argsort()
    return Curve(rows.step[order], overall_losses(swarm, rows)[order])


def curve_table(swarm: Swarm, settings: Settings) -> pd.DataFrame:
    """Return role, step, loss: the overall loss of both mixtures at the settings' size."""
    curves = {
        role: loss_curve(swarm, settings["size"], settings[role])
        for role in ("default", "optimised")
    }
    tables = [
        pd.DataFrame({"role": role, "step": curve.steps, "loss": curve.losses})
        for role, curve in curves.items()
    ]
    return pd.concat(tables, ignore_index=True)


def steps_at(curve: Curve, losses: np.ndarray, goals: np.ndarray) -> np.ndarray:
    """Return the steps (C,) at which power laws through losses (C, P) reach goals (C,), nats.

    A curve whose irreducible loss is not below its goal gets inf.
    """
    law, _ = fit_power_laws(curve.steps.astype(float), losses, priors=PLAIN)
    reducible = goals - law.E
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = law.reference * (law.A / reducible) ** (1 / law.alpha)
    return np.where((reducible > 0) & (law.A > 0), steps, np.inf)


def steps_to_match(swarm: Swarm, settings: Settings, seed: int, level: float) -> pd.DataFrame:
    """Return the ratio of steps for each direction and each first step of the fit.

    Columns: runner (the mixture whose curve is fitted), first_step, method, ratio (steps to reach
    the other's last loss, over the last step), lower, upper. The interval resamples the residuals
    of the curve, and shifts the other's last loss by one of them; it assumes that the form is
    right. The method `between checkpoints` interpolates log loss in log step, if the curve reaches
    the goal.
    """
    size = settings["size"]
    curves = {role: loss_curve(swarm, size, settings[role]) for role in ("default", "optimised")}
    rows = []
    for runner, other in (("default", "optimised"), ("optimised", "default")):
        goal = float(curves[other].losses[-1])
        for first_step in settings["first_steps"]:
            curve = curves[runner].since(first_step)
            if len(curve.steps) > 3:
                found = _bounded_ratio(curve, goal, np.random.default_rng(seed), level, settings)
                rows.append([runner, first_step, "power law", *found])
        rows += [
            [runner, 0, "between checkpoints", *r] for r in _interpolated(curves[runner], goal)
        ]
    return pd.DataFrame(rows, columns=TABLE)


def _bounded_ratio(
    curve: Curve, goal: float, generator: np.random.Generator, level: float, settings: Settings
) -> tuple[float, float, float]:
    last, count = float(curve.steps[-1]), settings["replicates"]
    law, fit = fit_power_laws(curve.steps.astype(float), curve.losses[None], priors=PLAIN)
    num = len(curve.steps)
    residuals = fit.residuals[:, 0] * np.sqrt(num / (num - 3))
    ratio = float(steps_at(curve, curve.losses[None], np.array([goal]))[0]) / last
    fitted = law.predict(curve.steps.astype(float))
    drawn = fitted + generator.choice(residuals, size=(count, num))
    goals = goal + generator.choice(residuals, size=count)
    ratios = steps_at(curve, drawn, goals) / last
    tail = (1 - level) / 2
    lower, upper = np.quantile(ratios, [tail, 1 - tail], method="closest_observation")
    return ratio, float(lower), float(upper)


def _interpolated(curve: Curve, goal: float) -> Iterator[tuple[float, float, float]]:
    """Yield the ratio interpolated between two checkpoints, if the curve passes the goal."""
    below = np.flatnonzero(curve.losses <= goal)
    if len(below) and below[0] > 0:
        ends = slice(below[0] - 1, below[0] + 1)
        at = np.interp(-goal, -curve.losses[ends], np.log(curve.steps[ends]))
        yield float(np.exp(at) / curve.steps[-1]), np.nan, np.nan
