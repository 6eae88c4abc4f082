"""The choice of the pipeline on the published logs, and its intervals at 1B."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import calibration

from mixlaws.scoring.distance_folds import FoldPredictions
from mixlaws.scoring.pipeline_choice import choose_pipeline

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["5mix", "redpajama"])
def swarm(request, published):
    """Return a swarm's training side, and its folds."""
    swarm = calibration.read_swarm(published, request.param)
    return swarm, calibration.fit_folds(swarm)


def choose(whole, target, *, late=True):
    kept = [p for p in whole.folds.found if late or not p.fold.name.startswith("runs that go on")]
    targets, reach = whole.targets[target]
    folds = FoldPredictions(tuple(kept), whole.folds.failed)
    return choose_pipeline(folds, targets, reach, swarm=whole.swarm)


def test_joint_is_chosen_far_away_and_nested_nearby(swarm):
    """Also with every checkpoint beyond 30k steps withheld, the other swarm as the prior."""
    _, whole = swarm
    for late in (True, False):
        far = choose(whole, "1B, 100k steps", late=late)
        assert far.name == "joint"
        assert far.expected["joint"] <= 0.018
        assert far.expected["nested"] > 1.3 * far.expected["joint"]
        assert choose(whole, "410M, 36k steps", late=late).name == "nested"


def test_at_one_billion_losses_and_gain_are_inside(swarm):
    """RedPajama at 100k steps: errors -.0237, +.0005 and -.0242 of the difference."""
    runs, whole = swarm
    if not len(runs.unseen):
        return
    unseen = runs.unseen.select(runs.unseen.step == 100_000)
    bounds = calibration.bound(
        calibration.make_cell(runs, "1B", runs.observations, unseen, whole.folds)
    )
    assert bounds.choice.name == "joint"
    missed = np.abs(bounds.errors[:, -1])
    assert missed.max() <= 0.025
    assert (missed <= bounds.levels[:, -1]).all()
    assert bounds.levels[:, -1].max() <= 0.032
    gain = np.abs(np.diff(bounds.errors[:, -1]))
    assert (gain <= bounds.differences[:, -1]).all()
    assert bounds.differences[0, -1] <= 0.038
    assert bounds.expected[0, -1] <= 0.030
