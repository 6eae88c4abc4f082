"""Errors by distance: what folds identify, what the pooled values add, which pipeline follows."""

import numpy as np
import pytest
from scipy import stats

from mixlaws.errors import FitError
from mixlaws.scoring.distance_errors import (
    Pooled,
    fit_shape,
    measure_distance_errors,
    measure_fold_coverage,
)
from mixlaws.scoring.distance_folds import (
    Distance,
    DistanceFold,
    FoldPrediction,
    FoldPredictions,
)
from mixlaws.scoring.pipeline_choice import choose_pipeline
from mixlaws.scoring.pooled_errors import pooled_shapes

POOLED = Pooled((0.5, 0.3, 0.2), (0.5, 0.3, 0.2), num_swarms=2)
DISTANCES = [(0, 0.3), (0, 0.7), (0.4, 0), (0.9, 0), (1.3, 0), (0.4, 0.3), (0.4, 0.7), (0, 1.1)]


def fold(x, y):
    none = np.empty(0, dtype=bool)
    return DistanceFold(f"{x} {y}", none, none, 3, Distance(x, y))


def prediction(pipeline, x, y, errors):
    """Return a fold with these errors (m, V + 1)."""
    m = len(errors)
    mixtures = np.array([f"mix-{i}" for i in range(m)])
    shares = np.full((m, 3), 1 / 3)
    at = fold(x, y)
    return FoldPrediction(
        pipeline, at, at.distance, "L", 1e9, mixtures, shares, np.zeros_like(errors), errors
    )


def predictions(pipeline, variance, *, num_mixtures=20, seed=0, distances=DISTANCES):
    """Return folds whose errors have the variance of (x, y), in 3 domains and overall."""
    generator = np.random.default_rng(seed)
    scale = np.array([1.0, 2.0, 3.0, 1.0])
    return [
        prediction(
            pipeline,
            x,
            y,
            scale * np.sqrt(variance(x, y)) * generator.normal(size=(num_mixtures, 4)),
        )
        for x, y in distances
    ]


def test_many_folds_recover_the_planted_shape():
    generator = np.random.default_rng(1)
    distances = [Distance(*row) for row in generator.uniform(0, 1.5, (2000, 2))]
    truth = np.array([(1 + 2 * d.size**2 + 0.5 * d.tokens**2) for d in distances])
    squares = truth * generator.gamma(2, 0.5, 2000)
    assert fit_shape(distances, squares, (1.0, 0.0, 0.0)) == pytest.approx((1.0, 2.0, 0.5), rel=0.2)


def test_standard_deviations_follow_the_distance_and_the_domain():
    found = predictions("joint", lambda x, y: 1e-4 * (1 + x**2 + y**2), num_mixtures=2000)
    errors = measure_distance_errors(found, POOLED)
    near, far = errors.sigma(Distance(0, 0)), errors.sigma(Distance(1, 1))
    assert near == pytest.approx([0.01, 0.02, 0.03, 0.01], rel=0.1)
    assert far / near == pytest.approx(np.full(4, np.sqrt(3)), rel=0.1)
    assert errors.growth(Distance(1, 1), Distance(0, 0)) == pytest.approx((far / near) ** 2)
    assert errors.measured == (True, True)


def test_the_coverage_on_own_folds_is_that_of_the_level():
    found = predictions("joint", lambda x, y: 1e-4 * (1 + x**2 + y**2), num_mixtures=500)
    assert measure_fold_coverage(found, POOLED, 0.9) == pytest.approx(0.92, abs=0.04)
    heavy = [prediction("joint", 0, y, 0.01 * np.eye(4)[[0, 1, 2, 3] * 25]) for y in (0.1, 0.2)]
    # Errors that are mostly 0: the interval holds all that are not extreme.
    assert measure_fold_coverage(heavy, POOLED, 0.9) == pytest.approx(0.75, abs=0.01)
    assert np.isnan(measure_fold_coverage(found[:1], POOLED, 0.9))


def test_a_direction_without_folds_takes_the_pooled_growth():
    steps_only = [(0, 0.3), (0, 0.5), (0, 0.7)]
    found = predictions("joint", lambda *_: 1e-4, distances=steps_only)
    errors = measure_distance_errors(found, POOLED)
    assert errors.measured == (False, True)
    a, b, _ = errors.overall
    assert b > 0
    # Alone, the two prior folds at (0, 0) and (1, 0) would give .3 / .5; a is also measured here.
    assert b / a == pytest.approx(0.3 / 0.5, rel=0.5)
    # Where only the pooled growth tells of sizes, the interval knows of two swarms, not of folds.
    near, far = (errors.quantile(0.9, Distance(x, 0.4)) for x in (0.0, 9.0))
    assert near == pytest.approx(np.full(4, stats.t.ppf(0.95, 3 + 6 - 1)))
    assert far == pytest.approx(np.full(4, stats.t.ppf(0.95, 3)), rel=0.03)
    assert errors.quantile(0.9, Distance(1.0, 0.4))[0] > 1.02 * near[0]


def test_few_folds_lean_on_the_pooled_shape_and_many_do_not():
    flat = [(0, 0.2), (0, 1.0)]
    distances = [Distance(*each) for each in flat]
    growing = (0.2, 0.2, 0.6)
    few = fit_shape(distances, np.ones(2), growing)
    many = fit_shape(distances * 30, np.ones(60), growing)
    assert few[2] / few[0] > 3 * many[2] / many[0]
    assert many[2] / many[0] < 0.25


def test_errors_common_to_a_fold_do_not_widen_differences():
    generator = np.random.default_rng(0)
    own = 0.01 * generator.normal(size=(500, 4))
    found = [prediction("joint", x, y, own + 0.5) for x, y in DISTANCES]
    differences = measure_distance_errors(found, POOLED, differences=True)
    levels = measure_distance_errors(found, POOLED)
    assert differences.sigma(Distance(0, 0)) == pytest.approx(np.full(4, 0.01), rel=0.25)
    assert levels.sigma(Distance(0, 0)).min() > 0.4


def test_a_public_swarm_is_left_out_of_its_own_prior():
    both = pooled_shapes("joint", "levels").overall
    without = pooled_shapes("joint", "levels", "5mix").overall
    other = pooled_shapes("joint", "levels", "redpajama").overall
    assert np.mean([without, other], axis=0) == pytest.approx(both)
    assert without != pytest.approx(other)
    assert sum(both) == pytest.approx(1, abs=0.01)
    # Nested lacks the schedule: its error grows with tokens far more than joint's.
    nested = pooled_shapes("nested", "levels").overall
    assert nested[2] / nested[0] > 3 * both[2] / both[0]


def chosen(found, target, failed=(), **options):
    targets = {"nested": target, "joint": target}
    return choose_pipeline(FoldPredictions(tuple(found), tuple(failed)), targets, target, **options)


def test_the_least_error_at_the_targets_distance_wins():
    found = predictions("nested", lambda _, y: 1e-6 + 4e-4 * y**2)
    found += predictions("joint", lambda *_: 4e-5)
    assert chosen(found, Distance(0, 0.1)).name == "nested"
    far = chosen(found, Distance(0, 1.2))
    assert far.name == "joint"
    assert "on the 8 folds that both predicted joint misses by" in far.reason
    assert "public runs" not in far.reason
    assert far.expected["nested"] > 2 * far.expected["joint"]
    assert [row.token_factor for row in far.table if row.size_factor == 1] == sorted(
        row.token_factor for row in far.table if row.size_factor == 1
    )


def test_a_reason_says_when_only_the_pooled_growth_decides():
    """Near folds prefer nested; that its errors grow with tokens is known from public runs."""
    near = [(0, 0.2), (0, 0.3), (0.1, 0.2), (0.1, 0.3)]
    found = predictions("nested", lambda *_: 1.0e-4, distances=near, num_mixtures=500)
    found += predictions("joint", lambda *_: 1.2e-4, distances=near, num_mixtures=500)
    choice = chosen(found, Distance(0, 2.0))
    assert choice.name == "joint"
    assert "nested only by" in choice.reason
    assert "partly as measured on public runs" in choice.reason


def test_a_tie_goes_to_joint_far_away_and_to_nested_nearby():
    rows = predictions("nested", lambda *_: 1e-4, seed=1)
    # The same errors for both: only the pooled growth differs, and it must not look like evidence.
    for distance, name in ((Distance(0.2, 0.0), "nested"), (Distance(0.8, 0.0), "joint")):
        twin = [prediction("joint", p.distance.size, p.distance.tokens, p.errors) for p in rows]
        assert chosen(rows + twin, distance).name == name


def test_a_pipeline_that_fails_a_fold_no_farther_than_the_target_is_out():
    found = predictions("nested", lambda *_: 1e-6) + predictions("joint", lambda *_: 1e-2)
    failed = [("nested", fold(0, 0.7), "a step law needs at least 3 checkpoints")]
    assert chosen(found, Distance(0, 0.3), failed).name == "nested"
    out = chosen(found, Distance(0, 1.0), failed)
    assert out.name == "joint"
    assert "3 checkpoints" in out.failed["nested"]
    with pytest.raises(FitError, match=r"laws\.pipeline is nested.*3 checkpoints"):
        chosen(found, Distance(0, 1.0), failed, pinned="nested")
    assert chosen(found, Distance(0, 0.3), pinned="joint").reason.startswith("pinned")
    with pytest.raises(FitError, match="no pipeline can be fitted"):
        chosen([], Distance(0, 1.0), failed)
