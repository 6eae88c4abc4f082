"""Intervals fitted to the published logs cover losses at later steps and larger sizes."""

import numpy as np
import pytest
from published_logs import common_mixtures, read_logs, weights_of

from mixlaws.decision.bootstrap import Sampling, bootstrap
from mixlaws.decision.intervals import measure_coverage, predict_differences, predict_losses
from mixlaws.laws.joint.fit import JointSettings
from mixlaws.laws.overall import Columns
from mixlaws.laws.pipelines import Joint, Nested
from mixlaws.losses.arrays import make_observations
from mixlaws.paper.points import target_at
from mixlaws.scoring.fold_errors import measure_fold_errors
from mixlaws.scoring.folds import (
    forecaster,
    last_rows,
    leave_largest_size_out,
    leave_later_steps_out,
    target_of,
)

FORMS = ("F1", "F3", "F6", "F7")
LEVEL = 0.9
# 24 resamples of 4 forms, or of the one nested pipeline: the tails are coarse, the runs are short.
REPLICATES = 24


# choose_joint picks these settings (test_joint.py).
JOINT = Joint(FORMS, JointSettings(early_cut=0.3, schedule=True))


def fold_errors(pipeline, observations, size, columns):
    """Return the errors on the two forward folds: the largest size, and later steps of `size`."""
    forecasters = {"law": forecaster(pipeline)}
    folds = leave_largest_size_out(forecasters, observations)
    folds += leave_later_steps_out(forecasters, observations, size)
    return measure_fold_errors([fold for fold in folds if fold.law == "law"], columns)


def test_one_billion_at_100k_steps_is_inside(published):
    """Issue 3: both mixtures and their difference inside the 90 % interval; plain ones miss it."""
    study = read_logs(published, "redpajama")
    seen = make_observations(study)
    columns = Columns(seen.validation_domains, weights_of(study))
    mixtures = [*set(seen.mixture[seen.size == "410M"].tolist()), "default"]
    proxies = seen.select((seen.size != "1B") & np.isin(seen.mixture, mixtures))
    errors = fold_errors(JOINT, proxies, "410M", columns)
    target = target_at(study, "1B", 100_000)
    laws = bootstrap(JOINT, proxies, target, sampling=Sampling(REPLICATES))
    late = seen.select((seen.size == "1B") & (seen.step == 100_000))
    observed = columns.with_overall(late.losses)
    pair = (late.proportions[:1], late.proportions[1:])
    gain = observed[:1] - observed[1:]
    assert gain[0, -1] == pytest.approx(0.0346, abs=1e-4)
    wide = predict_losses(laws, late.proportions, columns, level=LEVEL, errors=errors)
    difference = predict_differences(laws, pair, columns, level=LEVEL, errors=errors)
    assert (wide.lower[:, -1] <= observed[:, -1]).all()
    assert (observed[:, -1] <= wide.upper[:, -1]).all()
    assert difference.lower[0, -1] <= gain[0, -1] <= difference.upper[0, -1]
    assert (wide.upper - wide.lower)[:, -1].max() <= 0.12
    assert measure_coverage(wide, observed) >= 0.85
    plain = predict_losses(laws, late.proportions, columns, level=LEVEL)
    assert measure_coverage(plain, observed) < 0.85


@pytest.mark.parametrize("name", ["redpajama", "5mix"])
def test_nested_intervals_hold_a_larger_size(published, name):
    """70M-305M -> 410M at 30k steps: widened intervals hold at least what they promise."""
    study = read_logs(published, name)
    observations = common_mixtures(study, ["70M", "160M", "305M", "410M"], range(30_001))
    columns = Columns(observations.validation_domains, weights_of(study))
    small = observations.select(observations.size != "410M")
    unseen = last_rows(observations, "410M")
    errors = fold_errors(Nested(), small, "305M", columns)
    laws = bootstrap(Nested(), small, target_of(unseen), sampling=Sampling(REPLICATES))
    observed = columns.with_overall(unseen.losses)
    wide = predict_losses(laws, unseen.proportions, columns, level=LEVEL, errors=errors)
    plain = predict_losses(laws, unseen.proportions, columns, level=LEVEL)
    first, second = np.triu_indices(len(observed), 1)
    pairs = (unseen.proportions[first], unseen.proportions[second])
    differences = predict_differences(laws, pairs, columns, level=LEVEL, errors=errors)
    assert measure_coverage(wide, observed) >= 0.9
    assert measure_coverage(differences, observed[first] - observed[second]) >= 0.9
    assert measure_coverage(plain, observed) < 0.9
    assert (wide.upper - wide.lower)[:, -1].mean() / 2 <= 0.05
