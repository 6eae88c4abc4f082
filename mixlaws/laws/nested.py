"""The paper's nested pipeline: step law, then size law, then mixing law (algorithm 1)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from mixlaws.errors import FitError
from mixlaws.laws.curves import Curves
from mixlaws.laws.law import Law
from mixlaws.laws.least_squares import Fit
from mixlaws.laws.mixing.fit import check_mixtures, fit_mixing_law
from mixlaws.laws.mixing.form import MixingPriors
from mixlaws.laws.observations import Observations, Target, check_size_reach
from mixlaws.laws.power import PowerLaw, PowerPriors, fit_power_laws

Sharing = Literal["curve", "row", "validation_domain", "all"]
"""Which curves share an exponent: none, those of one run or mixture (row), those of one validation
domain, or all."""

MIN_CHECKPOINTS = 3
SIZE_PRIORS = PowerPriors(exponent=0.3, irreducible_sd=0.25)
"""Three or four sizes cannot separate an irreducible loss from a small exponent."""


@dataclass(frozen=True)
class NestedSettings:
    """Settings of the nested pipeline. PAPER_SETTINGS are those of the authors."""

    early_cut: float = 0.3
    """Checkpoints before this fraction of the run's tokens are left out, except the last three."""
    step_sharing: Sharing = "curve"
    size_sharing: Sharing = "validation_domain"
    step_priors: PowerPriors = field(default_factory=PowerPriors)
    size_priors: PowerPriors = SIZE_PRIORS
    mixing_priors: MixingPriors = field(default_factory=MixingPriors)


PAPER_SETTINGS = NestedSettings(
    early_cut=0.0,
    step_sharing="row",
    size_sharing="all",
    step_priors=PowerPriors(exponent_sd=10.0),
    size_priors=PowerPriors(exponent_sd=10.0, bounds=(0.3, 0.8)),
)
"""One step exponent per run for all its validation domains, one size exponent for everything, and
no priors (run.sh: tie_alpha=valid, tie_alpha=all). The size exponent is limited to the range of
the authors' starts: four sizes do not identify it, and without limits it falls to 0.1."""


@dataclass(frozen=True, eq=False)
class NestedFit:
    """The laws of the three stages and the losses they extrapolate to the target."""

    step: Curves | None
    """None if every run has a checkpoint at the target's tokens; its loss is used instead."""
    size: Curves | None
    """None if the only size is the target's."""
    mixing: Law
    mixing_fit: Fit
    mixtures: np.ndarray
    """(M,) ids, the rows of `proportions` and `losses`."""
    proportions: np.ndarray
    """(M, K)."""
    losses: np.ndarray
    """(M, V) losses extrapolated to the target, nats; the mixing law is fitted to them."""


def fit_nested(
    observations: Observations,
    target: Target,
    *,
    mixing: str = "additive",
    settings: NestedSettings | None = None,
    start: Law | None = None,
) -> NestedFit:
    """Fit step, size and mixing laws and predict every mixture at the target.

    `start`, an earlier mixing law of the same name, is where the fit of the mixing law begins.
    Seeds are averaged after the step law. A mixture seen at one size borrows the exponent of its
    validation domain, and takes the irreducible part of its loss from the other mixtures.

    Raises the FitError of `check_nested`, and FitError if mixtures seen at one size share no
    exponent with others, or if no mixture was seen at several sizes.
    """
    settings = settings or NestedSettings()
    check_nested(observations, target, settings)
    runs = _Runs.of(observations)
    step = None if runs.reach(target.tokens) else _fit_steps(runs, settings)
    at_tokens = runs.observed_at(target.tokens) if step is None else step.predict(target.tokens)
    table = _average_seeds(runs, at_tokens)
    size = None if len(table.num_params) == 1 else _fit_sizes(table, settings)
    losses = table.losses[:, 0] if size is None else size.predict(target.num_params)
    law, fit = fit_mixing_law(
        mixing, table.proportions, losses, start=start, priors=settings.mixing_priors
    )
    return NestedFit(step, size, law, fit, table.mixtures, table.proportions, losses)


def check_nested(observations: Observations, target: Target, settings: NestedSettings) -> None:
    """Raise FitError where sizes, checkpoints or mixtures are too few; losses play no part."""
    check_size_reach(observations, target)
    check_mixtures(observations.proportions)
    runs = _Runs.of(observations)
    if not runs.reach(target.tokens):
        _check_steps(runs, settings)


@dataclass(frozen=True, eq=False)
class _Runs:
    """The observations grouped by run: R runs of at most P checkpoints, V validation domains."""

    first_row: np.ndarray
    """(R,) index of a row of `source` that belongs to the run."""
    tokens: np.ndarray
    """(R, P), nan beyond the run's checkpoints."""
    losses: np.ndarray
    """(R, P, V), nan beyond the run's checkpoints."""
    source: Observations

    @classmethod
    def of(cls, source: Observations) -> _Runs:
        keys = np.stack(
            [np.unique(part, return_inverse=True)[1] for part in (source.size, source.mixture)]
            + [source.seed]
        )
        _, first_row, run = np.unique(keys, axis=1, return_index=True, return_inverse=True)
        order = np.lexsort((source.tokens, run))
        place = np.arange(len(run)) - np.searchsorted(run[order], run[order])
        shape = (len(first_row), int(place.max()) + 1)
        tokens = np.full(shape, np.nan)
        losses = np.full((*shape, source.losses.shape[1]), np.nan)
        tokens[run[order], place] = source.tokens[order]
        losses[run[order], place] = source.losses[order]
        return cls(first_row, tokens, losses, source)

    def reach(self, tokens: float) -> bool:
        """Return whether every run has a checkpoint at this number of tokens."""
        return bool(np.isclose(self.tokens, tokens, rtol=1e-6).any(axis=1).all())

    def observed_at(self, tokens: float) -> np.ndarray:
        """Return the losses (R, V) of the checkpoints at this number of tokens."""
        place = np.nanargmin(np.abs(self.tokens - tokens), axis=1)
        return self.losses[np.arange(len(place)), place]

    def kept(self, early_cut: float) -> np.ndarray:
        """Return a mask (R, P) of the checkpoints that the step law is fitted to."""
        observed = np.isfinite(self.tokens)
        last = np.nanmax(self.tokens, axis=1, keepdims=True)
        from_end = observed.sum(axis=1, keepdims=True) - np.arange(self.tokens.shape[1])
        late = (self.tokens >= early_cut * last) | (from_end <= MIN_CHECKPOINTS)
        return observed & late


def _fit_steps(runs: _Runs, settings: NestedSettings) -> Curves:
    source, rows = runs.source, runs.first_row
    kept = runs.kept(settings.early_cut)
    tokens = np.where(kept, runs.tokens, np.nan)
    losses = np.where(kept[..., None], runs.losses, np.nan).swapaxes(1, 2)
    law, fit = fit_power_laws(
        np.repeat(tokens, losses.shape[1], axis=0),
        losses.reshape(-1, losses.shape[2]),
        groups=_groups(settings.step_sharing, losses.shape[:2]),
        priors=settings.step_priors,
        robust=True,
    )
    return Curves(
        size=source.size[rows],
        mixture=source.mixture[rows],
        seed=source.seed[rows],
        first=np.nanmin(tokens, axis=1),
        num_points=kept.sum(axis=1),
        law=law,
        fit=fit,
    )


def _check_steps(runs: _Runs, settings: NestedSettings) -> None:
    source = runs.source
    short = runs.first_row[runs.kept(settings.early_cut).sum(axis=1) < MIN_CHECKPOINTS]
    if len(short):
        named = [f"{source.size[i]}/{source.mixture[i]}/seed-{source.seed[i]}" for i in short]
        raise FitError(
            f"the runs {', '.join(named)} have fewer checkpoints than the {MIN_CHECKPOINTS} that a "
            "step law needs. Raise training.num_evaluations"
        )


@dataclass(frozen=True, eq=False)
class _Table:
    """Losses at the target's tokens: M mixtures, S sizes, V validation domains."""

    mixtures: np.ndarray
    proportions: np.ndarray
    num_params: np.ndarray
    """(S,) ascending."""
    losses: np.ndarray
    """(M, S, V), nan where a mixture was not run at a size."""


def _average_seeds(runs: _Runs, losses: np.ndarray) -> _Table:
    """Average the losses (R, V) of the seeds of one mixture and size."""
    source, rows = runs.source, runs.first_row
    mixtures, first, mixture = np.unique(
        source.mixture[rows], return_index=True, return_inverse=True
    )
    sizes, size = np.unique(source.num_params[rows], return_inverse=True)
    shape = (len(mixtures), len(sizes), losses.shape[1])
    sums, counts = np.zeros(shape), np.zeros((*shape[:2], 1))
    np.add.at(sums, (mixture, size), losses)
    np.add.at(counts, (mixture, size), 1.0)
    means = np.where(counts > 0, sums / np.maximum(counts, 1.0), np.nan)
    return _Table(mixtures, source.proportions[rows][first], sizes, means)


def _fit_sizes(table: _Table, settings: NestedSettings) -> Curves:
    losses = table.losses.swapaxes(1, 2)
    seen = np.isfinite(table.losses[:, :, 0])
    num_points = seen.sum(axis=1)
    alone = table.mixtures[num_points == 1]
    if len(alone) == len(seen):
        raise FitError(
            f"no size law can be fitted: each of the {len(seen)} mixtures was seen at one size "
            "only. Train some of them at every size"
        )
    if len(alone) and settings.size_sharing in ("curve", "row"):
        raise FitError(
            f"the mixtures {', '.join(alone)} were seen at one size only and cannot borrow an "
            f"exponent with size_sharing={settings.size_sharing!r}. Use 'validation_domain' or "
            "'all'"
        )
    groups = _groups(settings.size_sharing, losses.shape[:2])
    curves, priors = losses.reshape(-1, losses.shape[2]), settings.size_priors
    law, fit = fit_power_laws(table.num_params, curves, groups=groups, priors=priors)
    if len(alone):
        parts = _borrow_irreducible(table, law, priors)
        priors = replace(priors, irreducible=parts)
        law, fit = fit_power_laws(table.num_params, curves, groups=groups, priors=priors)
    return Curves(
        size=np.full(len(seen), ""),
        mixture=table.mixtures,
        seed=np.full(len(seen), -1),
        first=np.where(seen, table.num_params, np.inf).min(axis=1),
        num_points=num_points,
        law=law,
        fit=fit,
    )


def _borrow_irreducible(table: _Table, law: PowerLaw, priors: PowerPriors) -> np.ndarray:
    """Return the prior mean (M V,) of E, as a fraction of each curve's lowest loss.

    One size cannot separate E from A. A mixture seen at one size therefore gets the mean fraction
    that E has in the other mixtures' losses at that size.
    """
    num_validation = table.losses.shape[2]
    seen = np.isfinite(table.losses[:, :, 0])
    fitted = law.predict(table.num_params).reshape(len(seen), num_validation, -1)
    parts = law.E.reshape(len(seen), num_validation, 1) / fitted
    mean = parts[seen.sum(axis=1) > 1].mean(axis=0)
    means = np.full((len(seen), num_validation), priors.irreducible)
    for mixture in np.flatnonzero(seen.sum(axis=1) == 1):
        means[mixture] = mean[:, seen[mixture].argmax()]
    return means.ravel()


def _groups(sharing: Sharing, shape: tuple[int, ...]) -> np.ndarray:
    """Return the number (R V,) of the group with which each curve shares its exponent."""
    row, validation_domain = np.indices(shape[:2])
    numbers = {
        "curve": row * shape[1] + validation_domain,
        "row": row,
        "validation_domain": validation_domain,
        "all": np.zeros_like(row),
    }
    return numbers[sharing].ravel()
