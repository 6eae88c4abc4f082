"""From fitted laws to the decision: the optimum with intervals, beside honest baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mixlaws.decision.baselines import best_observed
from mixlaws.decision.bootstrap import Bootstrap, Sampling, bootstrap
from mixlaws.decision.estimates import KINDS, estimate, estimate_losses
from mixlaws.decision.intervals import (
    Bounds,
    predict_differences,
    predict_shares,
)
from mixlaws.decision.limits import make_decision_limits, make_limits
from mixlaws.decision.near_optimal import find_near_optimal
from mixlaws.decision.objective import Objective
from mixlaws.decision.optimum import Optimum, minimise_objective
from mixlaws.laws.files import FittedLaw
from mixlaws.laws.law import Law
from mixlaws.laws.observations import Observations
from mixlaws.laws.overall import Columns
from mixlaws.scoring.uncertainty import read_uncertainty


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything that a decision is based on."""

    observations: Observations
    """Fitted mixtures only."""
    laws: Bootstrap
    bounds: Bounds

    @property
    def law(self) -> Law:
        """Return the law fitted to all the data."""
        return self.laws.fitted


def gather_evidence(fitted: FittedLaw, observations: Observations, sampling: Sampling) -> Evidence:
    """Refit a law's pipeline to resamples of the observations that it was fitted to."""
    laws = bootstrap(
        fitted.pipeline, observations, fitted.target, sampling=sampling, fitted=fitted.law
    )
    bounds = Bounds(fitted.columns, read_uncertainty(fitted.uncertainty), fitted.level)
    return Evidence(observations, laws, bounds)


def make_objective(
    columns: Columns, options: Mapping[str, Any], baselines: Mapping[str, Sequence[float]]
) -> Objective:
    """Return the objective of the config's `optimum` section."""
    prior = options.get("prior")
    return Objective(
        columns.weights,
        maximum_share=options["maximum_share"],
        prior=np.asarray(baselines[prior["mixture"]]) if prior else None,
        prior_strength=prior["strength"] if prior else 0.0,
    )


def decide_mixture(
    evidence: Evidence,
    options: Mapping[str, Any],
    *,
    target_tokens: float,
    available_tokens: Mapping[str, float | None],
    baselines: Mapping[str, Sequence[float]],
) -> dict[str, Any]:
    """Return what optimum.json holds of the decision.

    `options` is the config's `optimum`; `baselines` are proportions by mixture id. Raises
    ConfigError when no mixture meets the limits, naming those that conflict.
    """
    domains = evidence.observations.domains
    limits = make_decision_limits(domains, options, available_tokens, target_tokens)
    goal = make_objective(evidence.bounds.columns, options, baselines)
    best = minimise_objective(evidence.law, goal, limits)
    free = minimise_objective(evidence.law, goal, make_limits(limits.domains, 1.0))
    shares = predict_shares(evidence.laws, goal, limits, best, level=evidence.bounds.level)
    near = find_near_optimal(evidence.law, best.proportions, limits, evidence.bounds)
    return {
        "proportions": _named(domains, best.proportions),
        "intervals": _ranges(domains, shares.lower, shares.upper),
        "predicted": estimate_losses(evidence.law, best.proportions, evidence.bounds),
        "unconstrained": {
            "proportions": _named(domains, free.proportions),
            "overall": free.overall,
        },
        "limits": _ranges(domains, limits.lower, np.minimum(limits.upper, 1.0)),
        "active_constraints": _constraints(best),
        "certificate": {
            "certified": best.certified,
            "convex": best.convex,
            "gap": best.gap,
            "num_starts": best.num_starts,
        },
        "near_optimal": {
            "tolerance": near.tolerance,
            "ranges": _ranges(domains, near.lower, near.upper),
            "share": near.share,
        },
        "baselines": _baselines(evidence, best, baselines),
        "num_failed_replicates": len(evidence.laws.failures),
    }


def _baselines(
    evidence: Evidence, best: Optimum, baselines: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    """Return each baseline's predicted losses and what the optimum gains over it."""
    observed_id, observed = best_observed(evidence.observations, evidence.bounds.columns)
    named = {name: (name, np.asarray(shares)) for name, shares in baselines.items()}
    named["best_observed"] = (observed_id, observed)
    found = {}
    for name, (mixture, shares) in named.items():
        pair = (shares[None], best.proportions[None])
        expected, one_run = (
            predict_differences(evidence.law, pair, evidence.bounds, kind) for kind in KINDS
        )
        predicted = estimate_losses(evidence.law, shares, evidence.bounds)
        found[name] = {
            "mixture": mixture,
            "proportions": _named(evidence.observations.domains, shares),
            "overall": predicted["overall"],
            "predicted": predicted,
            "gain": estimate(expected, one_run, -1),
        }
    return found


def _constraints(best: Optimum) -> list[dict[str, Any]]:
    return [
        {
            "domain": each.name,
            **{k: v for k, v in asdict(each).items() if k != "name"},
        }
        for each in best.active
    ]


def _named(domains: Sequence[str], shares: np.ndarray) -> dict[str, float]:
    return dict(zip(domains, map(float, shares), strict=True))


def _ranges(domains: Sequence[str], low: np.ndarray, high: np.ndarray) -> dict[str, list[float]]:
    rows = zip(domains, low, high, strict=True)
    return {domain: [float(lower), float(upper)] for domain, lower, upper in rows}
