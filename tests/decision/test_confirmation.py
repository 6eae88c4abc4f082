import numpy as np
import pandas as pd
import pytest

from mixlaws.decision.confirmation import check_same_text, compare_losses
from mixlaws.decision.noise import seed_noise
from mixlaws.errors import DataError

WEIGHTS = {"docs": 0.75, "code": 0.25}
# Final losses by mixture: one per seed, for docs; code is 1 nat below.
DOCS = {"optimum": [3.00, 3.10], "uniform": [3.12, 3.20], "natural": [3.10, 3.12]}


def loss_table():
    rows = []
    for mixture, values in DOCS.items():
        for seed, value in enumerate(values):
            for step, above in ((10, 1.0), (20, 0.0)):
                for domain, below in (("docs", 0.0), ("code", 1.0)):
                    rows.append((mixture, seed, step, step * 64, domain, value + above - below))
    columns = ["mixture", "seed", "step", "tokens", "validation_domain", "loss"]
    return pd.DataFrame(rows, columns=columns).assign(size="332K")


def interval(value):
    """Half-widths .1 of what is expected and .2 of one run."""
    return {
        "value": value,
        "lower": value - 0.1,
        "upper": value + 0.1,
        "one_run": [value - 0.2, value + 0.2],
    }


def predicted(docs):
    return {
        "docs": interval(docs),
        "code": interval(docs - 1.0),
        "overall": interval(docs - 0.25),
    }


def optimum_record():
    return {
        "predicted": predicted(3.0),
        "baselines": {
            "uniform": {"predicted": predicted(3.2), "gain": interval(0.2)},
            "natural": {"predicted": predicted(3.1), "gain": interval(0.1)},
            "best_observed": {"predicted": predicted(3.05), "gain": interval(0.05)},
        },
    }


def test_noise_is_the_pooled_sd_of_a_mixtures_effect():
    generator = np.random.default_rng(0)
    mixtures, seeds = generator.normal(size=(400, 1)), generator.normal(size=(1, 6))
    losses = mixtures + 10 * seeds + 0.05 * generator.normal(size=(400, 6))
    assert seed_noise(losses) == pytest.approx(0.05, rel=0.05)
    # By hand: effects +-0.01 about their means in both mixtures, one degree of freedom.
    assert seed_noise(np.array([[1.0, 2.0], [1.04, 2.0]])) == pytest.approx(0.02)
    assert seed_noise(np.array([[1.0], [2.0]])) is None


def test_gains_are_paired_by_seed_and_told_from_noise():
    found = compare_losses(loss_table(), optimum_record(), WEIGHTS)
    assert found["seeds"] == [0, 1]
    assert found["tokens"] == 20 * 64
    assert found["mixtures"]["optimum"]["observed"] == pytest.approx([2.75, 2.85])
    assert found["gains"]["uniform"]["per_seed"] == pytest.approx([0.12, 0.10])
    assert found["gains"]["uniform"]["observed"] == pytest.approx(0.11)
    assert found["gains"]["natural"]["observed"] == pytest.approx(0.06)
    assert "best_observed" not in found["gains"]
    overall = np.array([[v - 0.25 for v in DOCS[m]] for m in ("natural", "optimum", "uniform")])
    assert found["noise"] == pytest.approx(seed_noise(overall))
    assert found["gains"]["uniform"]["beyond_noise"]
    assert found["gains"]["natural"]["beyond_noise"] == (2 * found["noise"] < 0.06)


def test_the_error_is_the_mean_over_domains_and_mixtures():
    found = compare_losses(loss_table(), optimum_record(), WEIGHTS)
    assert found["mean_absolute_error"] == pytest.approx(np.mean([0.05, 0.04, 0.01]))
    assert found["domains"]["code"]["uniform"]["mean"] == pytest.approx(2.16)


def test_predictions_have_the_interval_of_the_mean_of_the_seeds():
    found = compare_losses(loss_table(), optimum_record(), WEIGHTS)
    half = np.sqrt(0.1**2 + (0.2**2 - 0.1**2) / 2)
    for predicted_value in (
        found["mixtures"]["uniform"]["predicted"],
        found["domains"]["code"]["uniform"]["predicted"],
        found["gains"]["uniform"]["predicted"],
    ):
        value = predicted_value["value"]
        assert predicted_value["lower"] == pytest.approx(value - half)
        assert predicted_value["upper"] == pytest.approx(value + half)


def test_one_seed_has_no_noise_and_claims_nothing():
    one = loss_table().query("seed == 0")
    found = compare_losses(one, optimum_record(), WEIGHTS)
    assert found["noise"] is None
    assert not found["gains"]["uniform"]["beyond_noise"]


def test_a_missing_run_is_named():
    table = loss_table().query("not (mixture == 'uniform' and seed == 1)")
    with pytest.raises(DataError, match=r"\('uniform', 1\)"):
        compare_losses(table, optimum_record(), WEIGHTS)


def test_the_target_must_see_the_text_of_the_proxies(tmp_path):
    paths = [tmp_path / name for name in ("runs.csv", "confirmation_runs.csv")]
    for path, size, digest in zip(paths, ("25K", "332K"), ("aaa", "bbb"), strict=True):
        row = {"size": [size], "mixture": ["uniform"], "text_fingerprint": [digest]}
        pd.DataFrame(row).to_csv(path, index=False)
    check_same_text(paths[0], paths[0])
    with pytest.raises(DataError, match=r"csv is aaa in 25K/uniform and bbb in 332K/uniform"):
        check_same_text(*paths)
