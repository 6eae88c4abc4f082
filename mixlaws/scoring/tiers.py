"""One tier or two: do mixtures that were seen carry offsets of their own?

A joint law can predict mixtures seen at several sizes with random effects (two tiers), or all
mixtures by the mixture term alone (one tier). Random effects on one side of a difference only
would put the tier's offset into it, and a mixture moved onto a trained one would jump. So
differences, the choice of the mixture and their intervals always use one tier; the folds decide on
levels, and two tiers are used only where they are better beyond the scatter of the folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from mixlaws.laws.joint.fit import DEFAULT_FORMS, JointSettings, fit_joint_ensemble
from mixlaws.laws.joint.law import JointEnsemble
from mixlaws.laws.observations import Observations, Target
from mixlaws.scoring.distance_folds import FoldPrediction

LEVEL = 0.95
"""One-sided: two tiers replace one if they are better at this level, paired over folds."""


@dataclass(frozen=True)
class TwoTierJoint:
    """The joint forms with offsets of their own for mixtures that were seen; levels only."""

    forms: tuple[str, ...] = DEFAULT_FORMS
    settings: JointSettings = field(default_factory=JointSettings)
    name: str = "joint, two tiers"

    def fit(self, observations: Observations, target: Target) -> _AtTarget:
        """Return the ensemble's predictions at the target."""
        ensemble, _ = fit_joint_ensemble(observations, forms=self.forms, settings=self.settings)
        return _AtTarget(ensemble, target)


@dataclass(frozen=True)
class _AtTarget:
    ensemble: JointEnsemble
    target: Target

    def predict(self, proportions: np.ndarray) -> np.ndarray:
        return self.ensemble.predict(self.target, proportions)


@dataclass(frozen=True)
class TierChoice:
    """How many tiers predict levels, and why."""

    num_tiers: int
    one_tier: float
    """Root mean square error of the overall loss over the common folds, nats."""
    two_tiers: float
    reason: str


def choose_tiers(one: Sequence[FoldPrediction], two: Sequence[FoldPrediction]) -> TierChoice:
    """Choose the number of tiers by the folds that both predicted, all of mixtures seen.

    The test is a paired t of ln(mean squared error) over folds; fewer than three folds keep one.
    """
    pairs = [(a, b) for a in one for b in two if a.fold.name == b.fold.name]
    squares = np.array([[np.mean(p.errors[:, -1] ** 2) for p in pair] for pair in pairs])
    if len(pairs) < 3:
        return TierChoice(1, np.nan, np.nan, "too few folds to compare one tier with two")
    first, second = np.sqrt(squares.mean(axis=0))
    lead = np.log(squares[:, 0] / squares[:, 1])
    chance = stats.ttest_1samp(lead, 0.0, alternative="greater").pvalue
    number = 2 if chance < 1 - LEVEL else 1
    said = "better beyond" if number == 2 else "not better beyond"
    return TierChoice(
        number,
        float(first),
        float(second),
        f"on {len(pairs)} folds the error is {first:.4f} nats with one tier and {second:.4f} with "
        f"two: two tiers are {said} the scatter of the folds",
    )
