import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from planted import PlantedLaw, planted_observations

from mixlaws.decision.bootstrap import Bootstrap, Sampling, bootstrap, resample
from mixlaws.decision.intervals import (
    Bounds,
    measure_coverage,
    predict_differences,
    predict_losses,
    predict_shares,
)
from mixlaws.decision.limits import GroupLimit, make_limits
from mixlaws.decision.near_optimal import find_near_optimal
from mixlaws.decision.objective import Objective
from mixlaws.decision.optimum import minimise_objective
from mixlaws.errors import FitError
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.overall import Columns
from mixlaws.laws.pipelines import Joint, Nested, Pipeline
from mixlaws.scoring.difference_variance import DifferenceVariance
from mixlaws.scoring.distance_errors import DistanceErrors
from mixlaws.scoring.distance_folds import Distance
from mixlaws.scoring.forward import Question, look_forward
from mixlaws.scoring.level_variance import LevelVariance
from mixlaws.scoring.uncertainty import Uncertainty

ROOT = Path(__file__).parents[2]
CURVATURE = np.array([[4.0, 2.0, 3.0], [2.0, 5.0, 1.0]])
TARGET = Target(1.0, 1.0, 1.0, 1.0)
COLUMNS = Columns(("a", "b"), np.array([0.5, 0.5]))
TRUTH = PlantedLaw(np.array([2.0, 2.5]), CURVATURE, np.array([[0.5, 0.2, 0.3], [0.1, 0.6, 0.3]]))


@dataclass(frozen=True)
class Plane:
    """A pipeline: a plane plus the known curvature: exact up to the noise, and quick.

    `required` names a mixture without which the fit refuses.
    """

    name: ClassVar[str] = "plane"
    required: str = ""

    def fit(self, observations: Observations, _target: Target, _start=None) -> PlantedLaw:
        r = observations.proportions
        if not any(m.startswith(self.required) for m in observations.mixture):
            raise FitError(f"{self.required} is missing")
        curved = 0.5 * (CURVATURE * r[:, None, :] ** 2).sum(axis=2)
        plane = np.linalg.lstsq(r, observations.losses - curved, rcond=None)[0].T
        # Any constant is a plane too, as the shares sum to 1: take the one that completes squares.
        constant = -0.5 * (plane**2 / CURVATURE).sum(axis=1)
        return PlantedLaw(constant, CURVATURE, -plane / CURVATURE)


def observe(seed: int, num_mixtures: int = 20, noise: float = 0.02) -> Observations:
    """One step of one size: the truth plus a noise per mixture."""
    generator = np.random.default_rng(seed)
    proportions = generator.dirichlet(np.ones(3), num_mixtures)
    losses = TRUTH.predict(proportions) + noise * generator.normal(size=(num_mixtures, 2))
    same = np.ones(num_mixtures)
    return Observations(
        domains=("x", "y", "z"),
        validation_domains=("a", "b"),
        size=np.array(["S"] * num_mixtures),
        mixture=np.array([f"mix-{index:03d}" for index in range(num_mixtures)]),
        seed=np.zeros(num_mixtures, dtype=int),
        step=np.ones(num_mixtures, dtype=int),
        proportions=proportions,
        num_params=same,
        compute_params=same,
        tokens=same,
        effective_tokens=same,
        annealing=same - 1,
        losses=losses,
    )


def drawn(seed: int = 0, replicates: int = 100, **kwargs) -> Bootstrap:
    return bootstrap(Plane(), observe(seed, **kwargs), TARGET, sampling=Sampling(replicates))


def test_resample_keeps_runs_whole_and_names_copies() -> None:
    observations = planted_observations(num_mixtures=6, seeds=(0, 1), noise=0.1)
    sample = resample(observations, np.random.default_rng(1))
    copies = np.unique(sample.mixture)
    assert len(copies) == 6
    origins = [copy.split("#")[0] for copy in copies]
    assert len(set(origins)) < 6
    assert len(sample) == len(observations)
    repeated_seeds = 0
    for copy, origin in zip(copies, origins, strict=True):
        for size in ("S", "M", "L"):
            rows = sample.select((sample.mixture == copy) & (sample.size == size))
            source = observations.select(
                (observations.mixture == origin) & (observations.size == size)
            )
            assert np.unique(rows.seed).tolist() == [0, 1]
            runs = [rows.losses[rows.seed == seed] for seed in (0, 1)]
            of_source = [source.losses[source.seed == seed] for seed in (0, 1)]
            for run in runs:
                assert any(np.array_equal(run, whole) for whole in of_source)
            repeated_seeds += np.array_equal(*runs)
            assert (rows.proportions == source.proportions[0]).all()
    assert 0 < repeated_seeds < 18


def test_the_same_seed_gives_the_same_laws_whatever_the_processes() -> None:
    observations = observe(3)
    alone, pair = (
        bootstrap(Plane(), observations, TARGET, sampling=Sampling(10, 7, count))
        for count in (1, 2)
    )
    longer = bootstrap(Plane(), observations, TARGET, sampling=Sampling(12, 7))
    other = bootstrap(Plane(), observations, TARGET, sampling=Sampling(10, 8))
    mixtures = observations.proportions
    assert np.array_equal(alone.draws(mixtures), pair.draws(mixtures))
    assert np.array_equal(alone.draws(mixtures), longer.draws(mixtures)[:10])
    assert not np.array_equal(alone.draws(mixtures), other.draws(mixtures))


def test_processes_start_from_a_script_without_a_guard(tmp_path) -> None:
    """Workflow scripts run at import: the processes must not run them again."""
    script = tmp_path / "script.py"
    script.write_text(
        "from mixlaws.decision.bootstrap import Sampling, bootstrap\n"
        "from test_intervals import TARGET, Plane, observe\n"
        "print('once')\n"
        "laws = bootstrap(Plane(), observe(0), TARGET, sampling=Sampling(8, 0, 2))\n"
        "print(len(laws.replicates), __file__)\n"
    )
    here = Path(__file__).parent
    paths = os.pathsep.join([str(ROOT), str(here), str(here.parent)])
    done = subprocess.run(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.splitlines() == ["once", f"8 {script}"], done.stderr
    assert done.stderr.endswith("bootstrap: 8/8 replicates\n")


def test_failed_replicates_are_counted() -> None:
    """Three of twelve mixtures are all missing from a resample with probability 0.75^12 = 3 %."""
    ids = np.array([f"{'rare' if index < 3 else 'mix'}-{index}" for index in range(12)])
    observations = replace(observe(0, num_mixtures=12), mixture=ids)
    laws = bootstrap(Plane("rare"), observations, TARGET, sampling=Sampling(200))
    assert laws.failures == ("rare is missing",) * len(laws.failures)
    assert 0 < len(laws.failures) < 20
    assert len(laws.replicates) == 200 - len(laws.failures)


def test_too_many_failures_are_an_error() -> None:
    """One given mixture is missing from a third of the resamples."""
    with pytest.raises(
        FitError, match=r"of 40 bootstrap replicates failed, more than 20%\. .*mix-000 is mi"
    ):
        bootstrap(Plane("mix-000"), observe(0), TARGET, sampling=Sampling(40))
    with pytest.raises(FitError, match="nowhere is missing"):
        bootstrap(Plane("nowhere"), observe(0), TARGET, sampling=Sampling(4))


def test_optimum_shares_cover_the_true_optimum() -> None:
    limits, objective = make_limits(("x", "y", "z"), 1e9), Objective(np.array([0.5, 0.5]))
    truth = minimise_objective(TRUTH, objective, limits).proportions
    inside = []
    for seed in range(12):
        laws = drawn(seed, replicates=60)
        optimum = minimise_objective(laws.fitted, objective, limits)
        shares = predict_shares(laws, objective, limits, optimum, level=0.9)
        inside.append(measure_coverage(shares, truth))
        assert (shares.lower >= 0).all()
        assert (shares.upper <= 1).all()
    assert 0.75 <= np.mean(inside) <= 0.97


def bounds_of(kappa: float, seed: int = 0) -> Bounds:
    """Bounds whose differences have the variance `kappa`, nats squared, far from the runs."""
    trained = observe(seed).proportions
    differences = DifferenceVariance(trained, np.full(3, kappa), None)
    errors = DistanceErrors(np.full(3, 0.01), (1, 0, 0), (1, 0, 0), (True, True), 8, 2)
    levels = LevelVariance(errors, Distance(0, 0), differences)
    return Bounds(COLUMNS, Uncertainty(levels), 0.9)


def test_near_optimal_set_holds_the_truth_and_stays_within_limits() -> None:
    group = GroupLimit("pair", ("x", "y"), 0.0, 0.7)
    limits = make_limits(("x", "y", "z"), 1e9, shares={"x": (0.0, 0.4)}, groups=[group])
    objective = Objective(np.array([0.5, 0.5]))
    truth = minimise_objective(TRUTH, objective, limits).proportions
    laws = drawn(1)
    optimum = minimise_objective(laws.fitted, objective, limits).proportions
    near = find_near_optimal(laws.fitted, optimum, limits, bounds_of(1e-3, 1))
    assert (near.lower <= np.minimum(truth, optimum) + 0.01).all()
    assert (near.upper >= np.maximum(truth, optimum) - 0.01).all()
    assert near.upper[0] <= 0.4
    assert near.upper[:2].sum() > 0.7
    assert 0 < near.tolerance < 0.02
    wider = find_near_optimal(laws.fitted, optimum, limits, bounds_of(1e-2, 1))
    assert (wider.upper - wider.lower > near.upper - near.lower).all()
    assert wider.tolerance > near.tolerance
    exact = find_near_optimal(TRUTH, truth, limits, bounds_of(1e-10, 1))
    assert exact.upper == pytest.approx(truth, abs=0.02)
    assert exact.tolerance < 1e-4


def test_near_optimal_respects_pinned_shares_and_groups() -> None:
    group = GroupLimit("pair", ("x", "y"), 0.6, 0.6)
    limits = make_limits(("x", "y", "z"), 1e9, groups=[group])
    laws = drawn(2)
    optimum = minimise_objective(laws.fitted, Objective(np.full(2, 0.5)), limits).proportions
    near = find_near_optimal(laws.fitted, optimum, limits, bounds_of(1e-3, 2))
    assert [near.lower[2], near.upper[2]] == pytest.approx([0.4, 0.4], abs=1e-9)
    assert near.upper[0] - near.lower[0] > 0.01


@pytest.mark.parametrize("pipeline", [Nested(), Joint(("F1",))], ids=["nested", "joint"])
def test_pipelines_bootstrap_and_cover_a_planted_target(pipeline: Pipeline) -> None:
    observations = planted_observations(num_mixtures=12, noise=0.005)
    target = Target(8e6, 8e6, 16e6, 16e6)
    laws = bootstrap(pipeline, observations, target, sampling=Sampling(12))
    assert len(laws.replicates) >= 11
    sizes = {"S": 1e6, "M": 2e6, "L": 4e6, "T": 8e6}
    exact = planted_observations(num_mixtures=12, sizes=sizes)
    last = exact.select((exact.size == "T") & (exact.step == 80))
    expected = last.losses - 8**-0.4 + 16**-0.4
    assert laws.fitted.predict(last.proportions) == pytest.approx(expected, abs=0.08)
    spread = laws.draws(last.proportions).std(axis=0)
    assert (spread > 0).all()
    assert spread.max() < 0.1


@pytest.mark.parametrize("pipeline", [Nested(), Joint(("F1",))], ids=["nested", "joint"])
def test_a_mixture_moved_onto_a_trained_one_ends_in_its_value_and_interval(pipeline) -> None:
    """One estimator predicts seen and unseen mixtures: nothing jumps, and the gain goes to 0."""
    runs = planted_observations(num_mixtures=12, noise=0.005)
    target = Target(8e6, 8e6, 16e6, 16e6)
    columns = Columns(runs.validation_domains, np.full(4, 0.25))
    forward = look_forward(runs, target, columns, [pipeline], Question(pinned=pipeline.name))
    law, bounds = pipeline.fit(runs, target), Bounds(columns, forward.uncertainty, 0.9)
    trained = runs.proportions[runs.mixture == "mix-003"][:1]
    parts = np.array([1.0, 1e-2, 1e-4, 1e-6, 1e-8])[:, None]
    path = trained + parts * (np.full((1, 3), 1 / 3) - trained)
    for kind in ("expected", "single_run"):
        along = predict_losses(law, path, bounds, kind)
        there = predict_losses(law, trained, bounds, kind)
        for name in ("value", "lower", "upper"):
            distance = np.abs(getattr(along, name) - getattr(there, name)).max(axis=1)
            assert (np.diff(distance) < 0).all()
            assert distance[-1] < 1e-6
    gain = predict_differences(law, (path, trained), bounds)
    for end in (np.abs(gain.value), gain.upper - gain.lower):
        assert (np.diff(end, axis=0) < 0).all()
        assert end[-1].max() < 1e-4 * max(end[0].max(), 1.0)
