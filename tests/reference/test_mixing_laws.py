"""Mixing laws on the published logs, scored on mixtures left out."""

import time

import numpy as np
import pytest
from published_logs import cross_section, read_logs, read_regmix_1m, weights_of
from scipy.stats import spearmanr

from mixlaws.laws.mixing import MIXING_LAWS
from mixlaws.laws.mixing.fit import fit_mixing_law
from mixlaws.laws.overall import Columns
from mixlaws.scoring.choice import choose_laws
from mixlaws.scoring.folds import target_of
from mixlaws.scoring.predictors import fit_comparator


def leave_one_out(name, shares, losses):
    """Return predictions (n, V), each mixture left out of the fit that predicts it."""
    predicted = np.empty_like(losses)
    for left in range(len(losses)):
        seen = np.arange(len(losses)) != left
        fit = fit_mixing_law if name in MIXING_LAWS else fit_comparator
        law = fit(name, shares[seen], losses[seen])
        law = law[0] if isinstance(law, tuple) else law
        predicted[left] = law.predict(shares[left : left + 1])[0]
    return predicted


def scores(published, name, data):
    """Return mean absolute error and rank correlation of the overall loss."""
    study_name, size, step = data
    study = read_logs(published, study_name)
    seen = cross_section(study, size, step)
    weights = weights_of(study)
    predicted = leave_one_out(name, seen.proportions, seen.losses) @ weights
    observed = seen.losses @ weights
    return np.abs(predicted - observed).mean(), spearmanr(predicted, observed)[0]


THREE = ("3mix", "410M", 60_000)
FIVE = ("5mix", "410M", 30_000)
SEVEN = ("redpajama", "410M", 30_000)


@pytest.mark.parametrize(
    ("data", "num_mixtures", "error", "rank"),
    [
        (THREE, 32, 0.026, 0.92),  # 0.0239, 0.952; bar 0.028, 0.9
        (FIVE, 26, 0.008, 0.96),  # 0.0062, 0.978; bar 0.015
        (SEVEN, 20, 0.009, 0.94),  # 0.0071, 0.964
    ],
)
def test_additive_law_left_out_mixtures(published, data, num_mixtures, error, rank):
    study = read_logs(published, data[0])
    assert len(cross_section(study, *data[1:])) == num_mixtures
    mae, correlation = scores(published, "additive", data)
    assert mae <= error
    assert correlation >= rank


@pytest.mark.parametrize("data", [THREE, FIVE, SEVEN])
def test_additive_beats_the_papers_law_and_the_baselines(published, data):
    additive, _ = scores(published, "additive", data)
    for name, factor in [("exponential", 0.6), ("M1", 0.85), ("linear", 0.3), ("mean", 0.3)]:
        assert additive < factor * scores(published, name, data)[0], name


@pytest.mark.parametrize(
    ("name", "error"),
    # reference/laws.md, section 4, where the same forms were measured: .0182, .0237, .0558, .0580
    [("exponential", 0.0182), ("sqrt-linear", 0.0237), ("linear", 0.0558), ("mean", 0.0580)],
)
def test_known_forms_score_as_measured_before(published, name, error):
    assert scores(published, name, FIVE)[0] == pytest.approx(error, abs=0.001)


def test_order_of_the_papers_candidates(published):
    """M3 is far behind, as in the paper's table 1; that M4 leads does not reproduce."""
    error = {name: scores(published, name, THREE)[0] for name in ("M1", "M2", "M3", "exponential")}
    assert error["M3"] > 1.5 * max(error["M1"], error["M2"], error["exponential"])
    assert error["M1"] < error["exponential"]


@pytest.mark.parametrize("seed", [0, 1])
def test_additive_law_on_regmix(published, seed):
    table = read_regmix_1m(published)
    order = np.random.default_rng(seed).permutation(len(table.losses))
    train, test = order[:256], order[256:]
    law, fit = fit_mixing_law("additive", table.proportions[train], table.losses[train])
    predicted = law.predict(table.proportions[test])
    rank = [spearmanr(predicted[:, i], table.losses[test, i])[0] for i in range(len(predicted.T))]
    # 0.9868 and 0.9875; bar 0.985 on Pile-CC
    assert rank[table.validation_domains.index("pile_cc")] >= 0.985
    assert np.mean(rank) >= 0.985
    assert (fit.num_agreeing == fit.num_starts).mean() > 0.8


@pytest.mark.parametrize(("num", "error"), [(32, 0.93), (64, 0.96)])
def test_few_mixtures_suffice(published, num, error):
    """Rank correlation on Pile-CC of 256 mixtures from 32 and 64."""
    table = read_regmix_1m(published)
    order = np.random.default_rng(0).permutation(len(table.losses))
    target = table.validation_domains.index("pile_cc")
    train, test = order[:num], order[256:]
    losses = table.losses[:, [target]]
    law, _ = fit_mixing_law("additive", table.proportions[train], losses[train])
    predicted = law.predict(table.proportions[test])[:, 0]
    assert spearmanr(predicted, losses[test, 0])[0] >= error


@pytest.mark.slow
def test_a_single_point_of_512_mixtures_is_scored_in_time(published):
    """512 mixtures, 17 domains, 13 losses: measured 20 s of one idle core, bar 60 s."""
    runs = read_regmix_1m(published)
    columns = Columns(runs.validation_domains, np.full(13, 1 / 13))
    options = {"pipeline": "auto", "mixing": "auto", "early_cut": 0.2}
    begin = time.process_time()
    scored = choose_laws(runs, [], target=target_of(runs), columns=columns, options=options)
    assert time.process_time() - begin < 60
    # Mean error on unseen mixtures .036 nats against .043 of the additive law.
    assert scored.choice.mixing == "additive-terms"
    assert scored.forward.coverage == pytest.approx(0.9, abs=0.01)
    additive = next(fold for fold in scored.mixture_folds if fold.law == "additive")
    assert additive.fold == "k-fold"
    place = runs.validation_domains.index("pile_cc")
    ranks = spearmanr(additive.predicted[:, place], additive.observed[:, place])[0]
    assert ranks >= 0.985
