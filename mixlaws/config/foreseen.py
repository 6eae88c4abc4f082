"""What later stages would refuse, as far as the config alone tells.

The checks are the stages' own, called on what the config plans. Each problem is yielded once the
keys that it depends on are valid; the checks of these keys report them otherwise. Imports are
inside the functions: the jobs of a workflow read the config too, and do without.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from mixlaws.config.section import Problem
from mixlaws.errors import ConfigError, FitError
from mixlaws.mixtures.designs import MIN_FITTED_MIXTURES, choose_mixtures
from mixlaws.mixtures.lattice import NATURAL, UNIFORM, equal_shares, whole_shares
from mixlaws.presentation import format_list
from mixlaws.runs.lengths import evaluation_steps
from mixlaws.runs.sections import shape_of
from mixlaws.runs.sweep import design_of

if TYPE_CHECKING:
    from mixlaws.config.experiment import Experiment

_ROUNDING = 1e-9


def foresee(config: Experiment) -> Iterator[Problem]:
    """Yield what the mixtures, the laws and the decision would refuse after the training.

    Continual pre-training has shares instead, with checks of their own.
    """
    if config.continual is not None:
        return
    if _knows_domains(config):
        yield from _mixture_problems(config)
        yield from _decision_problems(config)
    if _knows_sizes(config):
        yield from _law_problems(config)


def _knows_domains(config: Experiment) -> bool:
    grouped = {name for group in config.optimum.groups.values() for name in group.domains}
    return {*config.mixtures.limits, *config.optimum.limits, *grouped} <= set(config.domains)


def _knows_sizes(config: Experiment) -> bool:
    named = {*config.training.sizes, config.target.size}
    return named <= config.sizes.keys() and not any(
        [*config.sizes[name].problems()] for name in named
    )


def _mixture_problems(config: Experiment) -> Iterator[Problem]:
    design = design_of(config)
    try:
        choose_mixtures(design)
    except ConfigError as error:
        yield "mixtures", str(error)
    others = _unsampled(config)
    if (least := MIN_FITTED_MIXTURES - len(others)) > design.count:
        yield (
            "mixtures.count",
            f"must be at least {least}, found {design.count}: with {format_list(others)} the laws "
            f"need {MIN_FITTED_MIXTURES} mixtures that are not held out",
        )


def _unsampled(config: Experiment) -> list[str]:
    """Return the fitted mixtures that no design samples."""
    mixtures = config.mixtures
    return [UNIFORM, *([NATURAL] if mixtures.train_natural else []), *mixtures.train_named]


def _decision_problems(config: Experiment) -> Iterator[Problem]:
    """Yield limits of the optimum that conflict, and a prior that they cannot be held to."""
    from mixlaws.decision.limits import make_decision_limits

    low, high = _target_limits(config)
    is_wide = (low <= high + _ROUNDING).all() and low.sum() <= 1 <= high.sum()
    options = config.optimum
    if is_wide and not options.groups and options.prior is None:
        return  # no linear program is needed to see a mixture within the limits
    stated = {name: source.available_tokens for name, source in config.domains.items()}
    try:
        limits = make_decision_limits(
            list(config.domains), options.model_dump(), stated, config.target.tokens
        )
    except ConfigError as error:
        yield "optimum", str(error)
        return
    shares = {} if options.prior is None else _prior_shares(config, options.prior.mixture)
    if not shares:
        return
    from mixlaws.decision.objective import Objective, check_objective

    prior = np.array([shares[domain] for domain in config.domains])
    try:
        check_objective(Objective(np.ones(1), prior=prior, prior_strength=1.0), limits)
    except ConfigError as error:
        yield "optimum.prior", str(error)


def _prior_shares(config: Experiment, name: str) -> dict[str, float]:
    """Return the shares of a prior; none if unknown so far: all text has a share in natural."""
    stated = config.mixtures.named | {NATURAL: config.mixtures.natural or {}}
    if name == UNIFORM:
        return equal_shares(design_of(config).limits)
    shares = stated.get(name, {})
    return whole_shares(shares, list(config.domains)) if shares else {}


def _target_limits(config: Experiment) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper limits (K,) of the shares at the target, groups left out."""
    options, tokens = config.optimum, config.target.tokens
    pairs = np.array([options.limits.get(name, [0.0, 1.0]) for name in config.domains], dtype=float)
    stated = [source.available_tokens or np.inf for source in config.domains.values()]
    return pairs[:, 0], np.minimum(pairs[:, 1], np.array(stated) * options.max_epochs / tokens)


def _law_problems(config: Experiment) -> Iterator[Problem]:
    """Yield a problem if the sizes and evaluations are too few for the laws."""
    from mixlaws.laws.observations import Target
    from mixlaws.scoring.planned import PlannedSweep, check_pipelines

    training, num_params = config.training, shape_of(config, config.target.size).num_params
    sizes = {name: float(shape_of(config, name).num_params) for name in training.sizes}
    if len({*sizes.values()}) == 1 and num_params not in sizes.values():
        return  # the checks of the sizes have said so
    sweep = PlannedSweep(
        sizes,
        evaluation_steps(
            training.num_steps,
            training.num_evaluations,
            training.first_evaluation,
            training.evaluation_spacing,
        ),
        training.batch_tokens,
        num_mixtures=design_of(config).count + len(_unsampled(config)),
    )
    tokens = float(max(config.target.tokens, training.num_steps * training.batch_tokens))
    target = Target(num_params, num_params, tokens, tokens)
    laws = config.laws
    try:
        check_pipelines(sweep, target, asked=laws.pipeline, early_cut=laws.early_cut)
    except FitError as error:
        yield "laws.pipeline", str(error)
