"""The law that decides, evaluated at its observations and on the way to the target.

Nothing is fitted here: joint laws are read from law.json, log-log lines and step laws from their
tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mixlaws.figures.view import View
from mixlaws.laws.joint.fit import after_early_cut
from mixlaws.laws.joint.law import JointAtTarget
from mixlaws.laws.law import members
from mixlaws.laws.loglog import late_rows
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.overall import Columns
from mixlaws.laws.pipelines import Joint, LogLog
from mixlaws.results import HELD_OUT

FITTED, LEFT_OUT = "fitted", "left out"
Prediction = Callable[[Observations], np.ndarray]
"""Losses (n, V) by the law that decides at the rows of observations, nan where it has none."""


@dataclass(frozen=True, eq=False)
class DecidingLaw:
    """The law that decides, as a function of size and tokens, and which rows it was fitted to."""

    predict: Prediction
    late: np.ndarray
    """(n,) whether each observation is after the early cut."""
    everywhere: bool
    """Whether it holds at every size and tokens, so that curves can be drawn."""


def deciding_law(view: View) -> DecidingLaw | None:
    """Return the law that decides, or None if its tables lack what evaluates it."""
    fitted, seen = view.law, view.observations
    if fitted is None:
        return None
    if isinstance(fitted.pipeline, Joint):
        laws = [each.law for each in members(fitted.law) if isinstance(each, JointAtTarget)]
        return DecidingLaw(
            lambda rows: np.mean([law.predict(rows) for law in laws], axis=0),
            after_early_cut(seen, fitted.pipeline.settings.early_cut),
            everywhere=True,
        )
    if isinstance(fitted.pipeline, LogLog) and view.results.line_law is not None:
        cut = fitted.pipeline.settings.early_cut
        late = np.isin(_keys(seen), _keys(late_rows(seen, cut)))
        predict = _line_law(view.results.line_law, fitted.target, fitted.columns)
        return DecidingLaw(predict, late, everywhere=True)
    if view.step_law is None:
        return None
    first = _by_run(view.step_law, seen, "first_tokens")[:, 0]
    return DecidingLaw(_step_law(view.step_law), seen.tokens >= first, everywhere=False)


def _keys(rows: Observations) -> np.ndarray:
    """Return one text per row that names its run and step."""
    parts = zip(rows.size, rows.mixture, rows.seed, rows.step, strict=True)
    return np.array(["\t".join(map(str, part)) for part in parts])


def _line_law(table: pd.DataFrame, target: Target, columns: Columns) -> Prediction:
    """Return the log-log lines of line_law.csv."""
    domains = list(columns.validation_domains)
    losses = table.pivot(index="mixture", columns="validation_domain", values="loss")[domains]
    common = table.drop_duplicates("validation_domain").set_index("validation_domain").loc[domains]
    names = [str(name) for name in common if str(name).startswith("slope_")]

    def predict(rows: Observations) -> np.ndarray:
        logs = np.log(losses.reindex(rows.mixture).to_numpy(dtype=float))
        for name in names:
            x = _regressor(name, rows) - _regressor(name, target)
            logs = logs + np.multiply.outer(x, common[name].to_numpy(dtype=float))
        return np.exp(logs)

    return predict


def _regressor(name: str, where: Observations | Target) -> np.ndarray:
    """Return the logarithm of the regressor of a column slope_<regressor>."""
    if name == "slope_compute":
        return np.log(6.0 * np.asarray(where.compute_params) * np.asarray(where.tokens))
    return np.log(np.asarray(getattr(where, name.removeprefix("slope_")), dtype=float))


def _step_law(table: pd.DataFrame) -> Prediction:
    """Return the step laws of step_law.csv, one per run."""

    def predict(rows: Observations) -> np.ndarray:
        names = ("E", "B", "beta", "reference_tokens")
        least, scale, exponent, reference = (_by_run(table, rows, name) for name in names)
        return np.asarray(least + scale * (rows.tokens[:, None] / reference) ** -exponent)

    return predict


def _by_run(table: pd.DataFrame, rows: Observations, column: str) -> np.ndarray:
    """Return a column (n, V) of step_law.csv at the run of each row, nan where it has no law."""
    keys = ["size", "mixture", "seed"]
    wide = table.assign(size=table["size"].astype(str)).pivot(
        index=keys, columns="validation_domain", values=column
    )
    index = pd.MultiIndex.from_arrays([rows.size, rows.mixture, rows.seed], names=keys)
    return wide.reindex(index)[list(rows.validation_domains)].to_numpy(dtype=float)


def fitted_losses(view: View) -> pd.DataFrame | None:
    """Return what the law that decides gives for every observed loss; None without such a law.

    Columns: size, mixture, seed, tokens, validation_domain, kind (fitted, left out by the early
    cut, held-out mixture), observed, predicted. Losses that it cannot predict are left out.
    """
    law, seen = deciding_law(view), view.observations
    if law is None:
        return None
    kinds = view.results.mixtures.set_index("id")["kind"]
    held = np.isin(seen.mixture, [str(name) for name in kinds.index[kinds == HELD_OUT]])
    kind = np.where(held, HELD_OUT, np.where(law.late, FITTED, LEFT_OUT))
    num_domains = len(seen.validation_domains)
    table = pd.DataFrame(
        {
            name: np.repeat(values, num_domains)
            for name, values in (
                ("size", seen.size),
                ("mixture", seen.mixture),
                ("seed", seen.seed),
                ("tokens", seen.tokens),
                ("kind", kind),
            )
        }
    )
    table = table.assign(
        validation_domain=np.tile(np.array(seen.validation_domains, dtype=object), len(seen)),
        observed=seen.losses.ravel(),
        predicted=law.predict(seen).ravel(),
    )
    return table.dropna(subset="predicted").reset_index(drop=True)


def points_between(
    view: View, mixture: str, num_params: np.ndarray, tokens: np.ndarray
) -> Observations:
    """Return ends of runs of a mixture at sizes and tokens (n,), as observations without losses.

    The state of the schedule is that of the target's end; FLOPs per parameter are interpolated
    between the proxies and the target.
    """
    assert view.law is not None
    seen, target = view.observations, view.law.target
    first = np.flatnonzero(seen.mixture == mixture)[:1]
    known, place = np.unique(seen.num_params, return_index=True)
    sizes = np.append(known, target.num_params)
    ratio = np.append(seen.compute_params[place] / known, target.compute_params / target.num_params)
    order = np.argsort(sizes, kind="stable")
    at = np.interp(np.log(num_params), np.log(sizes[order]), ratio[order])
    rows = seen.select(np.repeat(first, len(num_params)))
    return replace(
        rows,
        num_params=num_params,
        compute_params=num_params * at,
        tokens=tokens,
        effective_tokens=tokens * target.effective_tokens / target.tokens,
        annealing=np.full(len(tokens), target.annealing),
        losses=np.full(rows.losses.shape, np.nan),
    )
