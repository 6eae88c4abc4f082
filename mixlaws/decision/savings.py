"""How many fewer tokens the optimum needs to reach the loss of a baseline at the target's size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator

from mixlaws.decision.joint_budget import law_at
from mixlaws.errors import FitError
from mixlaws.laws.files import FittedLaw
from mixlaws.laws.law import Law
from mixlaws.laws.observations import Observations
from mixlaws.laws.pipelines import Joint
from mixlaws.scoring.targets import elsewhere

TOKEN_PARTS = (0.125, 0.25, 0.5, 0.7, 1.0, 1.4, 2.0)
"""The numbers of tokens of the curve, over the target's."""


@dataclass(frozen=True, eq=False)
class TokenCurve:
    """The predicted overall loss of one mixture at the target's size over training tokens."""

    parts: np.ndarray
    """(P,) tokens over the target's, increasing; 1 is among them."""
    losses: np.ndarray
    """(P,) nats, decreasing."""

    def saved(self, gain: float) -> float:
        """Return the share of the target's tokens that reaching a loss `gain` higher saves.

        Negative if the loss is lower. The share is limited to the ends of the curve.
        """
        loss = self.losses[self.parts == 1.0][0] + gain
        loss = float(np.clip(loss, self.losses[-1], self.losses[0]))
        inverse = PchipInterpolator(self.losses[::-1], np.log(self.parts[::-1]))
        return 1 - float(np.exp(inverse(loss)))


def token_curve(
    fitted: FittedLaw, observations: Observations, proportions: np.ndarray
) -> TokenCurve | None:
    """Return the curve of a mixture (K,); None if the laws predict one number of tokens only.

    Every point is a run of its own whose schedule ends as the target's does. Joint laws hold at
    any tokens; the other pipelines are fitted again at each.
    """
    points = []
    for part in TOKEN_PARTS:
        law = _law_at(fitted, observations, part)
        if law is not None:
            losses = law.predict(proportions[None])
            points.append((part, float(fitted.columns.overall(losses)[0])))
    parts, losses = np.array(points).T
    if len(parts) < 2 or 1.0 not in parts or (np.diff(losses) >= 0).any():
        return None
    return TokenCurve(parts, losses)


def _law_at(fitted: FittedLaw, observations: Observations, part: float) -> Law | None:
    """Return the law at a part of the target's tokens, None if it cannot be fitted there."""
    if part == 1.0:
        return fitted.law
    target = elsewhere(fitted.target, fitted.target.num_params, part * fitted.target.tokens)
    if isinstance(fitted.pipeline, Joint):
        return law_at(fitted.law, target)
    try:
        return fitted.pipeline.fit(observations, target)
    except FitError:
        return None


def saved_tokens(
    curve: TokenCurve | None, baselines: Mapping[str, Any]
) -> dict[str, dict[str, float] | None]:
    """Return by baseline the share of the target's tokens saved, with the interval of its gain.

    The curve counts as known: the interval is that of the expected gain, in tokens.
    """
    if curve is None:
        return dict.fromkeys(baselines)
    return {
        name: {end: curve.saved(each["gain"][end]) for end in ("value", "lower", "upper")}
        for name, each in baselines.items()
    }
