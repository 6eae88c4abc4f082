"""The log-log recipe: one straight line per mixture, with a common slope.

This is the simplest common way to extrapolate mixtures to a large model. Log loss is linear in
log size and log tokens. All mixtures share the slopes, and each has its own offset. A mixing law
is fitted to the offsets. The recipe has no irreducible loss, so it is too optimistic far from the
observations: every result states the distance of the extrapolation and an interval that widens
with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Literal

import numpy as np

from mixlaws.errors import FitError
from mixlaws.laws.law import Law
from mixlaws.laws.least_squares import Fit
from mixlaws.laws.mixing.fit import check_mixtures, fit_mixing_law
from mixlaws.laws.mixing.form import MixingPriors
from mixlaws.laws.observations import Observations, Target, check_size_reach


@dataclass(frozen=True)
class LogLogSettings:
    """Settings of the log-log recipe."""

    regressors: Literal["size-and-tokens", "compute"] = "size-and-tokens"
    """One slope each for ln N and ln D, or one slope for ln(N D) with N from FLOPs per token."""
    early_cut: float = 0.5
    """Checkpoints before this fraction of the run's tokens are left out."""
    mixing_priors: MixingPriors = field(default_factory=MixingPriors)


@dataclass(frozen=True, eq=False)
class LogLogFit:
    """ln L_mi = offset_mi + sum_f slope_fi (x_f - x_f at the target), and its mixing law.

    F regressors, M mixtures, V validation domains. A regressor that does not vary within any
    mixture has no identifiable slope and is left out; the losses are then for its observed value.
    """

    mixing: Law
    """The mixing law at the target, fitted to `losses`."""
    mixing_fit: Fit
    mixtures: np.ndarray
    """(M,) ids, the rows of `proportions` and `losses`."""
    proportions: np.ndarray
    """(M, K)."""
    losses: np.ndarray
    """(M, V) nats at the target: exp of the offsets."""
    log_sd: np.ndarray
    """(M, V) sd of ln loss at the target, from the offset and from slope times distance."""
    slopes: dict[str, np.ndarray]
    """Slopes (V,) by regressor: num_params and tokens, or compute."""
    distance: dict[str, float]
    """The target's value over the largest observed one, by regressor."""

    def interval(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Return lower and upper limits (M, V), nats, of the losses at the target."""
        reach = NormalDist().inv_cdf(0.5 + level / 2) * self.log_sd
        return self.losses * np.exp(-reach), self.losses * np.exp(reach)


@dataclass(frozen=True, eq=False)
class _Lines:
    """Regressors x (n, F) relative to the target, ln losses y (n, V), mixture numbers (n,)."""

    x: np.ndarray
    y: np.ndarray
    mixture: np.ndarray
    num_runs: np.ndarray
    """(M,) number of runs of each mixture; the checkpoints of one run are not independent."""

    def means(self, values: np.ndarray) -> np.ndarray:
        """Return the mean (M, ...) of values (n, ...) over each mixture."""
        sums = np.zeros((len(self.num_runs), values.shape[1]))
        np.add.at(sums, self.mixture, values)
        return sums / np.bincount(self.mixture)[:, None]


def fit_loglog(
    observations: Observations,
    target: Target,
    *,
    mixing: str = "additive",
    settings: LogLogSettings | None = None,
) -> LogLogFit:
    """Fit the lines, extrapolate every mixture to the target and fit a mixing law there.

    Raises FitError if there are fewer than two mixtures, if no regressor varies within a mixture,
    or if the only observed size is not the target's.
    """
    settings = settings or LogLogSettings()
    check_size_reach(observations, target)
    kept = _late_rows(observations, settings.early_cut)
    columns, at_target = _regressors(kept, target, settings)
    ids, first = np.unique(kept.mixture, return_index=True)
    lines = _lines(kept, columns, at_target)
    varies = _check_spread(lines, list(columns))
    slopes, log_losses, log_sd = _fit_lines(lines, varies)
    losses, proportions = np.exp(log_losses), kept.proportions[first]
    law, fit = fit_mixing_law(mixing, proportions, losses, priors=settings.mixing_priors)
    names = [name for name, used in zip(columns, varies, strict=True) if used]
    return LogLogFit(
        mixing=law,
        mixing_fit=fit,
        mixtures=ids,
        proportions=proportions,
        losses=losses,
        log_sd=log_sd,
        slopes=dict(zip(names, slopes, strict=True)),
        distance={name: at_target[name] / float(columns[name].max()) for name in columns},
    )


def check_loglog(observations: Observations, target: Target, settings: LogLogSettings) -> None:
    """Raise FitError where there are too few sizes, checkpoints or mixtures, as `fit_loglog` does.

    The losses play no part.
    """
    check_size_reach(observations, target)
    check_mixtures(observations.proportions)
    kept = _late_rows(observations, settings.early_cut)
    columns, at_target = _regressors(kept, target, settings)
    _check_spread(_lines(kept, columns, at_target), list(columns))


def _lines(
    kept: Observations, columns: Mapping[str, np.ndarray], at_target: Mapping[str, float]
) -> _Lines:
    mixture = np.unique(kept.mixture, return_inverse=True)[1]
    return _Lines(
        x=np.log(np.stack(list(columns.values()), axis=1) / list(at_target.values())),
        y=np.log(kept.losses),
        mixture=mixture,
        num_runs=_num_runs(kept, mixture),
    )


def _late_rows(observations: Observations, early_cut: float) -> Observations:
    keys = [
        np.unique(part, return_inverse=True)[1]
        for part in (observations.size, observations.mixture)
    ]
    run = np.unique(np.stack([*keys, observations.seed]), axis=1, return_inverse=True)[1]
    last = np.zeros(run.max() + 1)
    np.maximum.at(last, run, observations.tokens)
    return observations.select(observations.tokens >= early_cut * last[run])


def _regressors(
    kept: Observations, target: Target, settings: LogLogSettings
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Return the regressors (n,) by name, and their values at the target."""
    if settings.regressors == "compute":
        return (
            {"compute": 6.0 * kept.compute_params * kept.tokens},
            {"compute": 6.0 * target.compute_params * target.tokens},
        )
    return (
        {"num_params": kept.num_params, "tokens": kept.tokens},
        {"num_params": target.num_params, "tokens": target.tokens},
    )


def _num_runs(kept: Observations, mixture: np.ndarray) -> np.ndarray:
    size = np.unique(kept.size, return_inverse=True)[1]
    runs = np.unique(np.stack([mixture, size, kept.seed]), axis=1)
    return np.bincount(runs[0])


def _check_spread(lines: _Lines, names: list[str]) -> np.ndarray:
    """Flag (F,) the regressors that vary within a mixture; raise FitError if none does."""
    within = lines.x - lines.means(lines.x)[lines.mixture]
    varies = np.abs(within).max(axis=0) > 1e-9
    if not varies.any() or len(lines.num_runs) < 2:
        raise FitError(
            f"the log-log lines cannot be fitted to {len(lines.num_runs)} mixtures with "
            f"{len(lines.y)} losses. They need at least two mixtures, each seen at several values "
            f"of {' or '.join(names)}. Add sizes, or raise training.num_evaluations"
        )
    return varies


def _fit_lines(lines: _Lines, varies: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return slopes (F, V), and the ln losses at the target and their sd, each (M, V)."""
    x = lines.x[:, varies]
    x_mean, y_mean = lines.means(x), lines.means(lines.y)
    within = x - x_mean[lines.mixture]
    inverse = np.linalg.pinv(within.T @ within)
    slopes = inverse @ within.T @ (lines.y - y_mean[lines.mixture])
    residuals = lines.y - y_mean[lines.mixture] - within @ slopes
    # Errors are clustered by mixture: its checkpoints and sizes share noise.
    scores = np.zeros((len(x_mean), *slopes.shape))
    np.add.at(scores, lines.mixture, within[:, :, None] * residuals[:, None, :])
    num_mixtures = len(x_mean)
    middle = np.einsum("mfv,mgv->vfg", scores, scores) * num_mixtures / (num_mixtures - 1)
    slope_variance = inverse @ middle @ inverse
    reach = np.einsum("mf,vfg,mg->mv", x_mean, slope_variance, x_mean)
    offset_variance = residuals.var(axis=0) / lines.num_runs[:, None]
    return slopes, y_mean - x_mean @ slopes, np.sqrt(reach + offset_variance)
