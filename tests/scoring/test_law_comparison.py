"""Every law and regressor on planted losses, whose scores are known."""

import sys

import numpy as np
import pytest
from planted import planted_observations

from mixlaws.errors import ConfigError, DataError
from mixlaws.laws.mixing import MIXING_LAWS
from mixlaws.laws.mixing.fit import fit_mixing_law
from mixlaws.laws.observations import Observations
from mixlaws.laws.overall import Columns
from mixlaws.scoring.law_comparison import COMPARED, Folds, compare_laws
from mixlaws.scoring.predictors import COMPARATORS, own_domains

DOMAINS = ("web", "code", "prose")


def swarm(losses, *, validation_domains=DOMAINS, sizes=("S",), num_mixtures=24):
    """Return losses(shares) (M, V) of random mixtures at one step of each size."""
    shares = np.random.default_rng(1).dirichlet(np.ones(3), num_mixtures)
    values = losses(shares)
    num = len(sizes)
    ones = np.ones(num * num_mixtures)
    size = np.repeat(sizes, num_mixtures)
    num_params = np.repeat([1e6 * 2**place for place in range(num)], num_mixtures)
    return Observations(
        domains=DOMAINS,
        validation_domains=validation_domains,
        size=size,
        mixture=np.tile([f"mix-{i:03d}" for i in range(num_mixtures)], num),
        seed=np.zeros(len(ones), dtype=int),
        step=np.full(len(ones), 10),
        proportions=np.tile(shares, (num, 1)),
        num_params=num_params,
        compute_params=num_params,
        tokens=1e7 * ones,
        effective_tokens=1e7 * ones,
        annealing=0 * ones,
        losses=np.tile(values, (num, 1)),
    )


def linear(shares):
    return 3.0 + shares @ np.array([[-1.0, 0.2, 0.1], [0.3, -0.8, 0.2], [0.1, 0.4, -0.5]])


def own_power(shares):
    """Return BiMix's law at one size and number of steps."""
    return 2.0 * np.maximum(shares, 0.01) ** np.array([-0.1, -0.2, -0.3])


def compare(observations, weights=(0.5, 0.25, 0.25), **options):
    return compare_laws(
        observations, Columns(observations.validation_domains, np.array(weights)), **options
    )


def overall(comparison, law):
    return comparison.of(law)[-1]


@pytest.mark.parametrize(("losses", "best"), [(linear, "linear"), (own_power, "bimix")])
def test_the_planted_law_comes_first(losses, best):
    names = ("mean", "exponential", "bimix", "linear")
    comparison = compare(swarm(losses), names=names)
    first = overall(comparison, best)
    assert comparison.rows[0]["law"] == best
    assert first["mae"] < 1e-10
    assert (first["r2"], first["spearman"], first["regret"]) == pytest.approx((1, 1, 0))
    assert first["seconds"] >= 0
    assert comparison.rows[-1]["law"] == "mean"
    assert np.isnan(overall(comparison, "mean")["spearman"])
    assert (comparison.num_mixtures, comparison.num_folds) == (24, 24)
    assert comparison.failed == {}


def test_the_additive_law_on_its_own_losses():
    observations = planted_observations(num_mixtures=24, num_domains=3)
    columns = Columns(observations.validation_domains, np.full(4, 0.25))
    names = ("additive", "exponential", "quadratic", "linear")
    comparison = compare_laws(observations, columns, names=names)
    scores = {law: overall(comparison, law) for law in names}
    assert comparison.size == "L"
    assert scores["additive"]["mae"] < 0.01
    assert scores["additive"]["mae"] < 0.25 * min(
        scores[law]["mae"] for law in names if law != "additive"
    )
    assert scores["additive"]["spearman"] > 0.99
    assert scores["additive"]["regret"] == 0


def test_scores_are_those_of_fits_without_the_mixture():
    observations = planted_observations(num_mixtures=9, noise=0.01, sizes={"S": 1e6})
    columns = Columns(observations.validation_domains, np.full(4, 0.25))
    row = overall(compare_laws(observations, columns, names=["exponential"]), "exponential")
    last = observations.select(observations.step == observations.step.max())
    errors = []
    for place in range(9):
        others = np.arange(9) != place
        law, _ = fit_mixing_law("exponential", last.proportions[others], last.losses[others])
        predicted = law.predict(last.proportions[[place]])
        errors.append(abs((predicted - last.losses[place]).mean()))
    assert row["mae"] == pytest.approx(np.mean(errors), rel=1e-9)


def test_all_laws_of_the_registries_are_compared():
    assert {*MIXING_LAWS, *COMPARATORS, "bimix"} == set(COMPARED)
    comparison = compare(swarm(linear), folds=Folds(3))
    assert {row["law"] for row in comparison.rows} | set(comparison.failed) == set(COMPARED)
    assert comparison.failed == {}
    assert overall(comparison, "gaussian-process")["mae"] < 0.02
    assert overall(comparison, "lightgbm")["spearman"] > 0.5


@pytest.mark.parametrize(
    ("module", "law", "package"),
    [
        ("lightgbm", "lightgbm", "lightgbm"),
        ("sklearn.gaussian_process", "gaussian-process", "scikit-learn"),
    ],
)
def test_a_missing_package_is_named_and_the_others_are_scored(module, law, package, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    comparison = compare(swarm(linear), names=("linear", law))
    assert [row["law"] for row in comparison.rows] == ["linear"] * 4
    assert comparison.failed == {
        law: f"the comparator {law} needs the package {package}, which is not installed: "
        "pip install 'mixlaws[comparators]', or leave it out"
    }


def test_bimix_needs_the_names_of_the_domains():
    measured = ("web", "code", "other")
    comparison = compare(swarm(linear, validation_domains=measured), names=("bimix", "mean"))
    assert list(comparison.failed) == ["bimix"]
    assert "needs the training domain of every validation domain" in comparison.failed["bimix"]


def test_names_of_domains_may_differ_in_case_and_punctuation():
    found = own_domains(("github", "pile_cc", "web"), ("Pile-CC", "Github"))
    assert found.tolist() == [1, 0]
    assert own_domains(("github", "web"), ("Github", "books")) is None


def test_folds_divide_the_mixtures():
    assert Folds().split(64).tolist() == list(range(64))
    assert Folds().split(65).tolist() == [place % 8 for place in range(65)]
    assert Folds(3).split(7).tolist() == [0, 1, 2, 0, 1, 2, 0]
    shuffled = Folds(3, seed=5).split(9)
    assert sorted(shuffled.tolist()) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert shuffled.tolist() == Folds(3, seed=5).split(9).tolist()
    assert shuffled.tolist() != Folds(3, seed=6).split(9).tolist()
    for number in (1, 8):
        with pytest.raises(ConfigError, match=f"7 mixtures cannot be left out in {number} folds"):
            Folds(number).split(7)


def test_the_largest_size_with_enough_mixtures_counts():
    both = swarm(linear, sizes=("S", "L"))
    assert compare(both, names=["mean"]).size == "L"
    few = both.select((both.size == "S") | (np.arange(len(both)) % 12 == 0))
    assert compare(few, names=["mean"]).size == "S"
    with pytest.raises(DataError, match=r"at least 8 mixtures of one size, but there are 7 at S"):
        compare(swarm(linear, num_mixtures=7), names=["mean"])


def test_an_unknown_law_is_an_error():
    with pytest.raises(ConfigError, match=r"there is no law forest to compare\. Choose from"):
        compare(swarm(linear), names=("mean", "forest"))
