"""The choice of the pipeline on losses that nested planted, with the real fits."""

import numpy as np
import pytest
from planted import planted_observations

from mixlaws.laws.observations import Target
from mixlaws.laws.overall import Columns
from mixlaws.laws.pipelines import Joint, Nested
from mixlaws.scoring.candidates import common_rows, make_candidates
from mixlaws.scoring.distance_folds import distance_folds, distance_to, predict_folds
from mixlaws.scoring.pipeline_choice import choose_pipeline

SIZES = {"S": 1e6, "M": 2e6, "L": 4e6, "XL": 8e6}


@pytest.fixture(scope="module")
def scored():
    """Return runs whose steps, sizes and shares each follow their own law, and their folds."""
    runs = planted_observations(num_mixtures=8, sizes=SIZES, noise=0.002)
    candidates = make_candidates([Nested(), Joint()], runs)
    columns = Columns(runs.validation_domains, np.full(4, 0.25))
    folds = distance_folds(runs, common_rows(candidates))
    return runs, candidates, predict_folds(candidates, runs, columns, folds)


def test_nested_is_chosen_on_its_own_losses_for_a_near_target(scored):
    runs, candidates, found = scored
    target = Target(10e6, 10e6, 100e5, 100e5)
    everything = np.ones(len(runs), dtype=bool)
    distances = {c.name: c.distance(runs, everything, target) for c in candidates}
    choice = choose_pipeline(found, distances, distance_to(runs, target))
    assert choice.name == "nested"
    assert choice.expected["nested"] < choice.expected["joint"]
    assert choice.levels.measured == (True, True)
    assert {name for row in choice.table for name in row.errors} == {"nested", "joint"}
    # Two sizes are too few for nested's size law: joint alone answers there.
    two = next(row for row in choice.table if row.fold == "2 sizes, predicting XL")
    assert set(two.errors) == {"joint"}
    assert two.size_factor == pytest.approx(4)


def test_the_prior_does_not_outweigh_twice_the_error(scored):
    """A far target on losses that nested planted: joint is the prior choice, and errs far more."""
    runs, candidates, found = scored
    target = Target(27e6, 27e6, 200e5, 200e5)
    everything = np.ones(len(runs), dtype=bool)
    distances = {c.name: c.distance(runs, everything, target) for c in candidates}
    choice = choose_pipeline(found, distances, distance_to(runs, target))
    assert choice.expected["joint"] > 2 * choice.expected["nested"]
    assert choice.name == "nested"
