"""Does the prediction exclude anything? What may be said of the target, and what would say more.

The rules (docs/method.md, "When no mixture is recommended"):

1. No mixture is recommended if the interval of the expected gain is, over every baseline that is
   not a named mixture, wider than the range of the observed overall losses between the fitted
   mixtures at the largest proxy, or if the near-optimal set holds at least NEARLY_ALL of the
   allowed mixtures.
2. Neither a mixture nor an absolute loss is stated for a target with more than MEASURED_FACTOR
   times the parameters or tokens of the largest proxy: nothing measured how errors grow that far.
3. No absolute loss is stated if its interval reaches below the irreducible loss that the laws fit:
   such a number rests on a constant that the data leave open.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mixlaws.decision.decide import Evidence
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.overall import OVERALL
from mixlaws.presentation import (
    format_count,
    format_level,
    format_list,
    format_mixture,
    format_reach,
)
from mixlaws.scoring.folds import last_losses

NEARLY_ALL = 0.9
"""A near-optimal set with at least this share of the allowed mixtures excludes nothing."""
MEASURED_FACTOR = 1000.0
"""The farthest that any public swarm was carried: RegMix, from 1M to 1B parameters."""
MORE_MIXTURES = (2.0, 10.0)
"""The least and the most times as many mixtures as there are that the page asks for."""


@dataclass(frozen=True)
class Support:
    """What optimum.json holds under `support`: the same words for page, recipes and terminal."""

    recommends: bool
    """Whether the prediction excludes enough to recommend a mixture."""
    states_loss: bool
    """Whether the absolute loss of the target may be stated."""
    headline: str
    reason: str
    """Why no mixture is recommended; empty if one is."""
    needs: str
    """What it would take to recommend one; empty if one is recommended."""
    loss_reason: str
    """Why no absolute loss is stated; empty if it is."""
    gain_width: float
    """Width of the narrowest interval of the expected gain over a baseline, nats."""
    observed_range: float
    """Range of the observed overall losses between mixtures at the largest proxy, nats."""
    near_optimal_share: float
    """Share of the allowed mixtures that cannot be told from the optimum."""


@dataclass(frozen=True)
class Reach:
    """The largest proxy, the target and the number of fitted mixtures."""

    num_params: float
    tokens: float
    target_size: str
    target_params: float
    target_tokens: float
    num_mixtures: int

    @classmethod
    def of(cls, observations: Observations, target: Target, size: str) -> Reach:
        """Return the reach from the observations to a target whose size has this label."""
        return cls(
            num_params=float(observations.num_params.max()),
            tokens=float(observations.tokens.max()),
            target_size=size,
            target_params=float(target.num_params),
            target_tokens=float(target.tokens),
            num_mixtures=len(np.unique(observations.mixture)),
        )

    @property
    def is_measured(self) -> bool:
        """Return whether the target lies no farther than errors were ever measured."""
        factors = self.target_params / self.num_params, self.target_tokens / self.tokens
        return max(factors) <= MEASURED_FACTOR

    def words(self) -> str:
        """Return how far the target lies beyond the largest proxy."""
        return format_reach(self.target_params / self.num_params, self.target_tokens / self.tokens)

    def nearer(self, part: float) -> tuple[float, float]:
        """Return N and D of proxies that leave this part of the way to the target (0 to 1).

        The way is measured in logarithms. Neither is below what the experiment has.
        """
        params = self.target_params * (self.num_params / self.target_params) ** part
        tokens = self.target_tokens * (self.tokens / self.target_tokens) ** part
        return max(params, self.num_params), max(tokens, self.tokens)


def assess_support(
    decision: Mapping[str, Any], evidence: Evidence, reach: Reach, reducible: float | None
) -> dict[str, Any]:
    """Return the record `support` of optimum.json.

    `decision` is that of `decide_mixture`, with the ids of `named` mixtures. These do not count as
    baselines here: one near the optimum has a narrow interval, whatever the runs tell. `reducible`
    (nats) is how much further the laws expect the loss to fall beyond the target, or None where no
    law was extrapolated.
    """
    baselines, named = decision["baselines"], decision["named"]
    gains = [each["gain"] for name, each in baselines.items() if name not in named]
    width = min(gain["upper"] - gain["lower"] for gain in gains)
    spread, share = observed_range(evidence), decision["near_optimal"]["share"]
    level = format_level(evidence.bounds.level)
    reason, needs = "", ""
    if not reach.is_measured:
        reason, needs = _too_far(reach), _runs_within(reach)
    elif width > spread:
        reason = (
            f"{reach.words()}. Whichever baseline it is compared with, the {level} interval of the "
            f"gain is at least {width:.3f} nats wide, but the trained mixtures differ by only "
            f"{spread:.3f} nats at the largest proxy. The interval excludes nothing."
        )
        needs = _needs(evidence, reach, width / max(spread, 1e-9))
    elif share >= NEARLY_ALL:
        reason = (
            f"{reach.words()}. There, {format_level(share)} of all allowed mixtures cannot be told "
            f"from the one with the lowest predicted loss, at the {level} level."
        )
        needs = _needs(evidence, reach, 2.0)
    loss_reason = _loss_reason(decision, reach, reducible)
    support = Support(
        recommends=not reason,
        states_loss=not loss_reason,
        headline=_headline(decision, reach, recommends=not reason),
        reason=reason,
        needs=needs,
        loss_reason=loss_reason,
        gain_width=width,
        observed_range=spread,
        near_optimal_share=share,
    )
    return asdict(support)


def _too_far(reach: Reach) -> str:
    return (
        f"{reach.words()}. No experiment has measured how errors grow over more than "
        f"{MEASURED_FACTOR:,.0f} times, so no interval holds there."
    )


def _runs_within(reach: Reach) -> str:
    """Say which proxies would bring the target within what was measured."""
    asked = []
    if (params := reach.target_params / MEASURED_FACTOR) > reach.num_params:
        asked.append(f"proxies of at least {format_count(params)} parameters")
    if (tokens := reach.target_tokens / MEASURED_FACTOR) > reach.tokens:
        asked.append(f"runs of at least {format_count(tokens)} tokens")
    return _asked_for(asked, reach)


def observed_range(evidence: Evidence) -> float:
    """Return highest minus lowest observed overall loss (nats) of mixtures at the largest proxy."""
    observations = evidence.observations
    largest = str(observations.size[np.argmax(observations.num_params)])
    overall = evidence.bounds.columns.overall(last_losses(observations, largest).losses)
    return float(np.ptp(overall))


def _headline(decision: Mapping[str, Any], reach: Reach, *, recommends: bool) -> str:
    if recommends:
        return f"Train on {format_mixture(decision['proportions'])}."
    return (
        f"These runs do not tell which mixture is best for a model of size {reach.target_size} "
        f"trained on {format_count(reach.target_tokens)} tokens."
    )


def _loss_reason(decision: Mapping[str, Any], reach: Reach, reducible: float | None) -> str:
    """Say why the loss is not stated; nothing if its interval is above the irreducible loss."""
    if not reach.is_measured:
        return (
            "No absolute loss is stated, because the target is farther from the runs than errors "
            "were ever measured."
        )
    predicted = decision["predicted"][OVERALL]
    half = predicted["value"] - predicted["lower"]
    if reducible is None or half <= reducible:
        return ""
    if reducible == 0:
        return (
            "No absolute loss is stated. Log-log lines have no irreducible loss, so they predict "
            "too low a loss far from the runs."
        )
    return (
        f"No absolute loss is stated. At the target all but {reducible:.2g} nats of the predicted "
        "loss is the irreducible loss, and these runs determine it only to within "
        f"±{half:.2g} nats."
    )


def _needs(evidence: Evidence, reach: Reach, excess: float) -> str:
    """Say what would narrow the intervals by the factor `excess`.

    The variance at the distance (x, y) grows as a + b x^2 + c y^2 (`scoring.distance_errors`). Runs
    nearer to the target are named if less growth is enough, and more mixtures if it is not.
    """
    levels = evidence.bounds.uncertainty.levels
    near, by_size, by_tokens = levels.errors.overall
    grown = by_size * levels.distance.size**2 + by_tokens * levels.distance.tokens**2
    allowed = (near + grown) / excess**2
    asked = []
    if grown > 0:
        params, tokens = reach.nearer(math.sqrt(max(allowed - near, 0.0) / grown))
        if params > reach.num_params:
            asked.append(f"proxies of about {format_count(params)} parameters")
        if tokens > reach.tokens:
            asked.append(f"runs of about {format_count(tokens)} tokens")
    if allowed <= near or not asked:
        least, most = MORE_MIXTURES
        more = reach.num_mixtures * min(max(excess**2, least), most)
        asked.append(f"about {math.ceil(more)} mixtures")
    return _asked_for(asked, reach)


def _asked_for(asked: list[str], reach: Reach) -> str:
    return (
        f"To tell mixtures apart there it would take {format_list(asked)}. The experiment has "
        f"proxies of up to {format_count(reach.num_params)} parameters, runs of up to "
        f"{format_count(reach.tokens)} tokens and {reach.num_mixtures} mixtures."
    )
