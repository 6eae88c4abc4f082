"""Joint laws on the published logs: held-out 1B runs of RedPajama, inner folds."""

import numpy as np
import pytest
from published_logs import read_logs, weights_of

from mixlaws.laws.joint.fit import fit_joint
from mixlaws.laws.pipelines import Joint
from mixlaws.losses.arrays import make_observations
from mixlaws.scoring.joint_folds import FoldScore, choose_joint

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def study(published):
    return read_logs(published, "redpajama")


@pytest.fixture(scope="module")
def proxies(study):
    """Return the runs a law may see: 20 mixtures at 4 sizes, and the default mixture."""
    seen = make_observations(study)
    mixtures = {*seen.mixture[seen.size == "410M"], "default"}
    return seen.select((seen.size != "1B") & np.isin(seen.mixture, list(mixtures)))


@pytest.fixture(scope="module")
def five_domains(published):
    return read_logs(published, "5mix")


@pytest.fixture(scope="module")
def chosen(study, proxies):
    return choose_joint(proxies, weights=weights_of(study))


@pytest.fixture(scope="module")
def laws(proxies, chosen):
    choice, _ = chosen
    return Joint(choice.forms, choice.settings).fit_forms(proxies).values()


def mean_error(scores: list[FoldScore], choice: str, option: str) -> float:
    found = [s for s in scores if (s.choice, s.option) == (choice, option)]
    held_out = np.mean([s.mae for s in found if s.fold.startswith("held-out")])
    return float(np.mean([s.mae for s in found if not s.fold.startswith("held-out")] + [held_out]))


def test_one_billion_runs_never_fitted_on(study, laws):
    """Bars: mean |error| beyond 30k steps 0.015, at 100k steps 0.025."""
    observations = make_observations(study)
    late = observations.select((observations.size == "1B") & (observations.step > 30_000))
    predicted = np.mean([law.predict(late) for law, _ in laws], axis=0)
    errors = (predicted - late.losses) @ weights_of(study)
    assert len(errors) == 4
    assert np.abs(errors).mean() <= 0.015
    assert np.abs(errors[late.step == 100_000]).max() <= 0.025


def test_folds_keep_the_schedule_and_hold_out_mixtures(chosen):
    choice, scores = chosen
    assert choice.settings.schedule
    assert mean_error(scores, "schedule", "on") < mean_error(scores, "schedule", "off")
    assert sum(s.fold.startswith("held-out") for s in scores if s.option == "on") == 4


def test_folds_cut_the_early_part_of_the_five_domain_runs(five_domains):
    weights = weights_of(five_domains)
    choice, scores = choose_joint(make_observations(five_domains), weights=weights)
    assert choice.settings.early_cut >= 0.3
    assert mean_error(scores, "early cut", "0.3") < 0.5 * mean_error(scores, "early cut", "0")
    assert mean_error(scores, "mixture form", "both") <= 0.009


@pytest.mark.parametrize("form", ["F1", "F3", "F6", "F7"])
def test_leave_one_size_out(study, proxies, form):
    """70M-305M up to 30k steps -> 410M at 22-30k, with priors only: measured 0.008."""
    usual = proxies.step <= 30_000
    law, _ = fit_joint(proxies.select((proxies.size != "410M") & usual), form=form)
    late = proxies.select((proxies.size == "410M") & (proxies.step >= 22_000))
    errors = (law.predict(late) - late.losses) @ weights_of(study)
    assert np.abs(errors).mean() <= 0.012


@pytest.mark.parametrize("name", ["redpajama", "5mix"])
def test_larger_models_gain_more_from_the_same_tokens(proxies, five_domains, name):
    observations = proxies if name == "redpajama" else make_observations(five_domains)
    law, _ = fit_joint(observations, form="F1")
    assert np.median(law.parameters()["d"]) < -0.03
    assert 0.04 <= np.median(law.parameters()["C"]) <= 0.08
