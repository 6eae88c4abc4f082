"""Fewer tokens to the same loss, on a curve that is known."""

import numpy as np
import pytest
from planted import planted_observations

from mixlaws.decision.savings import TOKEN_PARTS, TokenCurve, saved_tokens, token_curve
from mixlaws.laws.files import FittedLaw
from mixlaws.laws.observations import Target
from mixlaws.laws.overall import Columns
from mixlaws.laws.pipelines import Joint, Nested

PARTS = np.array(TOKEN_PARTS)
CURVE = TokenCurve(PARTS, 2 + 0.5 * PARTS**-0.4)


@pytest.mark.parametrize("gain", [-0.05, -0.01, 0.0, 0.02, 0.1, 0.3])
def test_a_gain_in_nats_becomes_a_share_of_the_tokens(gain):
    """The loss 2.5 + gain is reached at D' with 0.5 (D' / D)^-0.4 = 0.5 + gain."""
    expected = 1 - (1 + 2 * gain) ** (-1 / 0.4)
    assert CURVE.saved(gain) == pytest.approx(expected, abs=0.002)


def test_a_share_beyond_the_curve_is_its_end():
    assert CURVE.saved(5.0) == pytest.approx(7 / 8)
    assert CURVE.saved(-5.0) == pytest.approx(-1.0)


def test_the_interval_is_that_of_the_gain():
    gain = {"value": 0.1, "lower": -0.02, "upper": 0.2}
    (saved,) = saved_tokens(CURVE, {"uniform": {"gain": gain}}).values()
    assert saved == {end: CURVE.saved(gain[end]) for end in gain}
    assert saved["lower"] < 0 < saved["value"] < saved["upper"]
    assert saved_tokens(None, {"uniform": {"gain": gain}}) == {"uniform": None}


@pytest.mark.parametrize("pipeline", [Nested(), Joint(("F1",))])
def test_the_curve_of_fitted_laws_is_the_planted_one(pipeline):
    """L = 1 + M N^-0.2 + (D / 1e6)^-0.4: only the last term depends on D."""
    observations = planted_observations()
    target = Target(8e6, 8e6, 1.6e7, 1.6e7)
    num = len(observations.validation_domains)
    columns = Columns(observations.validation_domains, np.full(num, 1 / num))
    law = pipeline.fit(observations, target)
    names = (observations.domains, columns, np.zeros(num), {}, 0.9, 10)
    fitted = FittedLaw(law, pipeline, target, *names)
    curve = token_curve(fitted, observations, np.full(3, 1 / 3))
    assert curve.parts.tolist() == list(TOKEN_PARTS)
    expected = 16**-0.4 * (PARTS**-0.4 - 1)
    assert curve.losses - curve.losses[4] == pytest.approx(expected, abs=0.03)


def test_laws_of_one_number_of_tokens_have_no_curve():
    observations = planted_observations()
    observations = observations.select(observations.step == 80)
    target = Target(4e6, 4e6, 8e6, 8e6)
    columns = Columns(observations.validation_domains, np.full(4, 0.25))
    law = Nested().fit(observations, target)
    names = (observations.domains, columns, np.zeros(4), {}, 0.9, 10)
    fitted = FittedLaw(law, Nested(), target, *names)
    assert token_curve(fitted, observations, np.full(3, 1 / 3)) is None
