"""Spread between mixtures over noise: standard deviations that are known."""

import numpy as np
import pandas as pd
import pytest

from mixlaws.figures.signal_to_noise import MEASURES, plot_ratios, signal_to_noise

TOKENS = np.geomspace(1e6, 1e7, 8)
WEIGHTS = {"web": 0.75, "code": 0.25}


def planted(*, seeds=(0,), seed_noise=0.0, step_noise=0.0, num_mixtures=40):
    """Losses that are a parabola in ln D, offset by mixture (sd 0.1), seed and checkpoint.

    Accuracy has a tenth of the offsets and the same noise.
    """
    generator = np.random.default_rng(0)
    offsets = generator.normal(0, 0.1, num_mixtures)
    rows = []
    for mixture, offset in enumerate(offsets):
        for seed in seeds:
            shift = seed_noise * generator.normal()
            for tokens in TOKENS:
                noise = shift + step_noise * generator.normal()
                curve = 3 - 0.4 * np.log(tokens / 1e6) + 0.05 * np.log(tokens / 1e6) ** 2
                for domain in WEIGHTS:
                    row = {"size": "1M", "mixture": f"mix-{mixture}", "seed": seed}
                    row |= {"tokens": tokens, "validation_domain": domain}
                    accuracy = 0.3 - 0.1 * offset + noise
                    rows.append(row | {"loss": curve + offset + noise, "accuracy": accuracy})
    return pd.DataFrame(rows), float(np.std(offsets, ddof=1))


def overall(table):
    rows = table[table["validation_domain"] == "overall"].set_index("measure")
    return rows.loc["loss"], rows.loc["accuracy"]


def test_the_noise_of_checkpoints_is_recovered():
    losses, spread = planted(step_noise=0.01)
    loss, accuracy = overall(signal_to_noise(losses, WEIGHTS))
    assert loss["spread"] == pytest.approx(spread, rel=0.05)
    # The noise of the last checkpoint is part of the spread.
    assert accuracy["spread"] == pytest.approx(np.hypot(0.1 * spread, 0.01), rel=0.1)
    for measure in (loss, accuracy):
        assert measure["checkpoint_noise"] == pytest.approx(0.01, rel=0.15)
        assert np.isnan(measure["seed_noise"])
        assert measure["noise"] == measure["checkpoint_noise"]
        assert measure["ratio"] == pytest.approx(measure["spread"] / measure["noise"])
    assert loss["ratio"] > 5 * accuracy["ratio"]


def test_the_noise_of_seeds_is_pooled_within_mixtures():
    losses, _ = planted(seeds=(0, 1, 2), seed_noise=0.02)
    loss, _ = overall(signal_to_noise(losses, WEIGHTS))
    assert loss["seed_noise"] == pytest.approx(0.02, rel=0.15)
    assert loss["checkpoint_noise"] < 1e-6  # a parabola, exactly
    assert loss["noise"] == loss["seed_noise"]


def test_every_validation_domain_has_its_row():
    losses, _ = planted(step_noise=0.01, num_mixtures=4)
    table = signal_to_noise(losses, WEIGHTS)
    assert len(table) == len(MEASURES) * 3
    assert set(table["num_mixtures"]) == {4}
    assert len(plot_ratios(table).axes[0].lines) == 4


def test_two_mixtures_have_no_spread():
    losses, _ = planted(step_noise=0.01, num_mixtures=2)
    assert signal_to_noise(losses, WEIGHTS)["ratio"].isna().all()
