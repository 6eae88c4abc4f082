"""Forward folds at several distances: which there are, how far they look, who is asked."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from planted import planted_observations

from mixlaws.errors import FitError
from mixlaws.laws.observations import Target
from mixlaws.laws.overall import Columns
from mixlaws.scoring.distance_folds import (
    Candidate,
    distance_folds,
    distance_to,
    predict_folds,
)

SIZES = {"S": 1e6, "M": 2e6, "L": 4e6, "XL": 8e6}


@dataclass(frozen=True)
class Constant:
    """Predicts one number; fails without the largest size if asked to."""

    name: str = "constant"
    loss: float = 2.0
    fails: bool = False

    def fit(self, observations, _target):
        if self.fails and observations.num_params.max() < 8e6:
            raise FitError("no size XL")
        return self

    def predict(self, proportions):
        return np.full((len(proportions), 4), self.loss)


@pytest.fixture(scope="module")
def runs():
    """Return 6 mixtures at four sizes with checkpoints at 10 to 80 steps, 1e5 tokens each."""
    return planted_observations(num_mixtures=6, sizes=SIZES)


def everything(runs):
    return np.ones(len(runs), dtype=bool)


def columns(runs):
    return Columns(runs.validation_domains, np.full(4, 0.25))


def test_folds_look_further_and_further(runs):
    folds = {fold.name: fold for fold in distance_folds(runs, everything(runs))}
    found = {name: (fold.distance.size, fold.distance.tokens) for name, fold in folds.items()}
    assert found["3 sizes, predicting XL"] == pytest.approx((np.log(2), 0))
    assert found["2 sizes, predicting L"] == pytest.approx((np.log(2), 0))
    assert found["2 sizes, predicting XL"] == pytest.approx((np.log(4), 0))
    assert found["first 0.5 of the tokens"] == pytest.approx((0, np.log(2)))
    # 0.6 x 80 = 48: the last checkpoint is at 40 steps, 0.75 x 80 = 60: at 56.
    assert found["first 0.75 of the tokens"] == pytest.approx((0, np.log(80 / 56)))
    assert found["2 sizes and the first 0.5 of their tokens"] == pytest.approx(
        (np.log(4), np.log(2))
    )
    for fold in folds.values():
        assert not (fold.train & fold.validate).any()
        unseen = runs.select(fold.validate)
        assert len(np.unique(unseen.num_params)) == len(np.unique(unseen.tokens)) == 1
        assert len(unseen) == 6


def test_the_early_cut_of_the_full_runs_holds_in_every_fold(runs):
    kept = runs.tokens >= 0.3 * 80e5  # from 28 steps on
    names = [fold.name for fold in distance_folds(runs, kept)]
    # Half of a run leaves 28 and 40 steps: two, and a trend in tokens has three parameters.
    assert not [name for name in names if "0.5 of" in name or "0.33 of" in name]
    assert "first 0.75 of the tokens" in names
    seen = []

    class Watching(Constant):
        def fit(self, observations, _target):
            seen.append(observations.step.min())
            return self

    candidate = Candidate(Watching(), kept, min_sizes=2, by_span=False)
    predict_folds([candidate], runs, columns(runs), distance_folds(runs, kept))
    assert set(seen) == {28}


def test_runs_that_go_on_add_a_fold_of_their_own(runs):
    last = (runs.size == "S") & (runs.step == 80) & np.isin(runs.mixture, ["mix-000", "mix-001"])
    longer = runs.select(np.concatenate([np.arange(len(runs)), np.flatnonzero(last)]))
    step, tokens = longer.step.copy(), longer.tokens.copy()
    step[-2:], tokens[-2:] = 240, 240e5
    longer = replace(longer, step=step, tokens=tokens)
    folds = {fold.name: fold for fold in distance_folds(longer, everything(longer))}
    fold = folds["runs that go on, S"]
    assert fold.distance.tokens == pytest.approx(np.log(3))
    assert fold.distance.size == 0
    assert fold.validate.sum() == 2
    # No other fold may see them, or its distance would be another.
    assert not any(other.train[-2:].any() for other in folds.values())


def test_distance_counts_in_spans_where_a_pipeline_says_so(runs):
    target = Target(16e6, 16e6, 320e5, 320e5)
    plain = Candidate(Constant(), everything(runs), min_sizes=2, by_span=False)
    spans = replace(plain, by_span=True)
    assert distance_to(runs, target).tokens == pytest.approx(np.log(4))
    found = spans.distance(runs, everything(runs), target)
    assert found.tokens == pytest.approx(np.log(4) / np.log(8))  # 10 to 80 steps were fitted
    assert found.size == pytest.approx(np.log(2))
    assert plain.distance(runs, everything(runs), target).tokens == pytest.approx(np.log(4))
    near = Target(1e6, 1e6, 10e5, 10e5)
    assert distance_to(runs, near).size == distance_to(runs, near).tokens == 0


def test_a_pipeline_is_asked_only_what_it_has_sizes_for(runs):
    three = Candidate(Constant("three"), everything(runs), min_sizes=3, by_span=False)
    two = Candidate(Constant("two", fails=True), everything(runs), min_sizes=2, by_span=False)
    folds = distance_folds(runs, everything(runs))
    found = predict_folds([three, two], runs, columns(runs), folds)
    assert not [p for p in found.of("three") if p.fold.name.startswith("2 sizes")]
    assert [p for p in found.of("three") if p.fold.name.startswith("3 sizes")]
    assert {name for name, _, _ in found.failed} == {"two"}
    assert all(fold.distance.size > 0 for _, fold, _ in found.failed)
    one = found.of("three")[0]
    assert one.predicted == pytest.approx(np.full((6, 5), 2.0))
    assert one.observed[:, -1] == pytest.approx(one.observed[:, :-1].mean(axis=1))


def test_one_size_and_one_checkpoint_have_no_folds(runs):
    at_end = runs.select((runs.size == "XL") & (runs.step == 80))
    assert distance_folds(at_end, everything(at_end)) == []
    one_size = runs.select(runs.size == "XL")
    folds = distance_folds(one_size, everything(one_size))
    assert folds
    assert all(fold.distance.size == 0 for fold in folds)
