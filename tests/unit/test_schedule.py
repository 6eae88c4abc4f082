"""The cosine schedule: rates, effective tokens, annealing depth."""

import pytest

from mixlaws.errors import ConfigError
from mixlaws.schedule import Cosine

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
    with pytest.raises(ConfigError, match=r"cosine of 100,000 steps ends there, got step 100,001"):
        PAPER.state([100_001], tokens_per_step=1)
