"""When the page recommends a mixture and states a loss, and what it asks for when it does not."""

from types import SimpleNamespace

import numpy as np
import pytest

from mixlaws.decision.support import Reach, assess_support
from mixlaws.laws.overall import Columns

NEAR = Reach(
    num_params=1e8,
    tokens=2e9,
    target_size="1B",
    target_params=1e9,
    target_tokens=1e11,
    num_mixtures=20,
)


class Rows(SimpleNamespace):
    """Observations as far as these tests need them."""

    def select(self, rows):
        return Rows(**{name: values[rows] for name, values in vars(self).items()})


def evidence(losses=(3.0, 3.2, 3.1), shape=(1.0, 0.5, 0.5), distance=(2.3, 3.9)):
    """Return mixtures with these overall losses at the largest of two sizes."""
    num = len(losses)
    observations = Rows(
        size=np.array(["S"] * num + ["L"] * num),
        num_params=np.repeat([5e7, 1e8], num),
        mixture=np.tile([f"mix-{i}" for i in range(num)], 2),
        seed=np.zeros(2 * num, dtype=int),
        step=np.ones(2 * num, dtype=int),
        tokens=np.full(2 * num, 2e9),
        proportions=np.full((2 * num, 2), 0.5),
        losses=np.array([9.0] * num + list(losses))[:, None],
    )
    levels = SimpleNamespace(
        errors=SimpleNamespace(overall=shape),
        distance=SimpleNamespace(size=distance[0], tokens=distance[1]),
    )
    bounds = SimpleNamespace(
        columns=Columns(("docs",), np.array([1.0])),
        level=0.9,
        uncertainty=SimpleNamespace(levels=levels),
    )
    return SimpleNamespace(observations=observations, bounds=bounds)


def decision(*, half_gain=0.02, half_loss=0.05, share=0.2):
    gain = {"value": 0.1, "lower": 0.1 - half_gain, "upper": 0.1 + half_gain}
    wide = {"value": 0.1, "lower": -0.9, "upper": 1.1}
    return {
        "proportions": {"docs": 0.7, "cpp": 0.3},
        "predicted": {"overall": {"value": 2.5, "lower": 2.5 - half_loss}},
        "baselines": {"uniform": {"gain": wide}, "best_observed": {"gain": gain}},
        "near_optimal": {"share": share},
        "named": [],
    }


def assess(found, reach=NEAR, reducible=0.4, **data):
    support = assess_support(found, evidence(**data), reach, reducible)
    return {k: v.replace("\xa0", " ") if isinstance(v, str) else v for k, v in support.items()}


def test_a_mixture_is_recommended_where_one_interval_excludes_something():
    found = assess(decision())
    assert found["recommends"]
    assert found["states_loss"]
    assert found["headline"] == "Train on 70 % docs and 30 % cpp."
    assert found["reason"] == found["needs"] == found["loss_reason"] == ""
    assert found["gain_width"] == pytest.approx(0.04)
    assert found["observed_range"] == pytest.approx(0.2)


def test_nothing_is_recommended_where_every_interval_is_wider_than_the_range():
    found = assess(decision(half_gain=0.2))
    assert not found["recommends"]
    assert found["headline"] == (
        "These runs do not tell which mixture is best for a model of size 1B trained on 100B "
        "tokens."
    )
    assert found["reason"] == (
        "The target has 10 times the parameters and 50 times the tokens of the largest proxy. "
        "Whichever baseline it is compared with, the 90 % interval of the gain is at least 0.400 "
        "nats wide, but the trained mixtures differ by only 0.200 nats at the largest proxy. The "
        "interval excludes nothing."
    )
    # Half the width, a quarter of the variance 1 + .5 x 2.3^2 + .5 x 3.9^2 = 11.25: 2.81, of which
    # 1.81 may grow; sqrt(1.81 / 10.25) = .42 of the way to the target in logarithms.
    assert found["needs"] == (
        "To tell mixtures apart there it would take proxies of about 380M parameters and runs of "
        "about 19.3B tokens. The experiment has proxies of up to 100M parameters, runs of up to "
        "2B tokens and 20 mixtures."
    )


def test_more_mixtures_are_asked_for_where_nearer_runs_are_not_enough():
    found = assess(decision(half_gain=0.2), distance=(0.0, 0.0))
    assert "it would take about 80 mixtures. " in found["needs"]
    far_off = assess(decision(half_gain=2.0), distance=(0.0, 0.0))
    assert "it would take about 200 mixtures. " in far_off["needs"]


def test_nothing_is_recommended_where_nearly_every_mixture_is_near_optimal():
    assert assess(decision(share=0.89))["recommends"]
    found = assess(decision(share=0.95))
    assert not found["recommends"]
    assert "95 % of all allowed mixtures cannot be told from the one" in found["reason"]


def test_nothing_is_recommended_or_stated_beyond_what_was_ever_measured():
    reach = Reach(1e6, 2e9, "7B", 7e9, 2e10, 20)
    found = assess(decision(), reach)
    assert not found["recommends"]
    assert not found["states_loss"]
    assert found["reason"] == (
        "The target has 7,000 times the parameters and 10 times the tokens of the largest proxy. "
        "No experiment has measured how errors grow over more than 1,000 times, so no interval "
        "holds there."
    )
    assert "it would take proxies of at least 7M parameters. The experiment" in found["needs"]


def test_no_loss_is_stated_below_the_irreducible_loss():
    found = assess(decision(half_loss=0.3), reducible=0.1)
    assert found["recommends"]
    assert found["loss_reason"] == (
        "No absolute loss is stated. At the target all but 0.1 nats of the predicted loss is the "
        "irreducible loss, and these runs determine it only to within ±0.3 nats."
    )
    lines = assess(decision(), reducible=0.0)
    assert "Log-log lines have no irreducible loss" in lines["loss_reason"]
    assert assess(decision(half_loss=3.0), reducible=None)["states_loss"]
