"""The cosine schedule: rates, effective tokens, annealing depth."""

import numpy as np
import pytest

from mixlaws.errors import ConfigError
from mixlaws.runs.schedules import Constant, Cosine, WarmupStableDecay, make_schedule

PAPER = Cosine(warmup_steps=2000, num_steps=100_000, final=0.1)


def test_rate_rises_to_the_peak_and_falls_to_its_final_part():
    assert PAPER.rate([1000, 2000, 51_000, 100_000]) == pytest.approx([0.5, 1.0, 0.55, 0.1])


def test_effective_tokens_sum_the_rates():
    effective, annealing = PAPER.state([2000, 100_000], tokens_per_step=10)
    # 2000 steps of a ramp and 98,000 of a cosine with mean 0.55.
    assert effective == pytest.approx([10 * 1000.5, 10 * (1000.5 + 0.55 * 98_000 - 0.45)], rel=1e-9)
    assert annealing == pytest.approx([0.0, 0.9])


def test_warm_up_is_not_annealing():
    assert PAPER.state([500], tokens_per_step=1)[1] == pytest.approx([0.0])


def test_a_step_past_the_end_is_refused():
    with pytest.raises(ConfigError, match=r"cosine ends at step 100,000, before step 100,001"):
        PAPER.state([100_001], tokens_per_step=1)


def test_a_shorter_run_is_a_prefix_of_the_longer_one():
    """The paper's proxies: 30,000 steps of the cosine that ends at 100,000."""
    settings = {"schedule": "cosine", "warmup_steps": 2000, "final_rate": 0.1, "decay_share": 0.2}
    short = make_schedule(settings | {"schedule_horizon": 100_000}, 30_000)
    assert short == make_schedule(settings | {"schedule_horizon": 100_000}, 100_000) == PAPER
    assert short.rate(30_000) == pytest.approx(0.8306, abs=1e-4)
    own = make_schedule(settings | {"schedule_horizon": None}, 30_000)
    assert own.rate(30_000) == pytest.approx(0.1)


def test_wsd_is_constant_until_its_last_part():
    schedule = WarmupStableDecay(10, 100, 0.0, 0.2)
    assert schedule.rate([5, 10, 50, 80, 90, 100]) == pytest.approx([0.5, 1, 1, 1, 0.5, 0])
    effective, annealing = schedule.state([80, 100], tokens_per_step=2)
    assert annealing == pytest.approx([0, 1])
    assert effective[1] - effective[0] == pytest.approx(2 * sum(1 - k / 20 for k in range(1, 21)))


def test_a_constant_rate_is_the_laws_plain_case():
    effective, annealing = Constant(30).state([15, 600], tokens_per_step=8)
    assert effective.tolist() == [120, 4800]
    assert annealing.tolist() == [0, 0]
    assert Constant(30).rate([15, 30, 600]).tolist() == [0.5, 1, 1]
    assert Constant(0).rate([1]).tolist() == [1]


@pytest.mark.parametrize("kind", ["constant", "wsd", "cosine"])
def test_a_continued_run_warms_up_again_from_the_rate_of_its_base(kind):
    settings = {"schedule": kind, "warmup_steps": 10, "schedule_horizon": None}
    settings |= {"final_rate": 0.1, "decay_share": 0.2}
    plain = make_schedule(settings, 100).rate(np.arange(1, 101))
    again = make_schedule(settings | {"initial_rate": 0.3}, 100).rate(np.arange(1, 101))
    np.testing.assert_allclose(again[:10], 0.3 + 0.7 * np.arange(1, 11) / 10)
    np.testing.assert_array_equal(again[10:], plain[10:])
    assert make_schedule(settings | {"initial_rate": 0.0}, 100) == make_schedule(settings, 100)
