from dataclasses import replace

import numpy as np
import pytest
from planted import planted_observations

from mixlaws.errors import ConfigError, DataError
from mixlaws.laws.mixing import DECIDING_LAWS, candidate_laws
from mixlaws.laws.overall import Columns
from mixlaws.laws.pipelines import Nested
from mixlaws.scoring.folds import (
    FoldResult,
    LossTable,
    cross_validate_mixtures,
    forecaster,
    last_losses,
    leave_largest_size_out,
    leave_later_steps_out,
    leave_mixtures_out,
    predict_held_out,
)
from mixlaws.scoring.predictors import BASELINES, mixing_predictor
from mixlaws.scoring.scores import PredictedLosses, fold_predictions, prediction_rows, score_rows
from mixlaws.scoring.selection import decide

COLUMNS = Columns(("a", "b"), np.array([0.25, 0.75]))


def table(losses: np.ndarray, seed: int = 0) -> LossTable:
    proportions = np.random.default_rng(seed).dirichlet(np.ones(3), len(losses))
    ids = np.array([f"mix-{index:03d}" for index in range(len(losses))])
    return LossTable("S", 1e6, ids, proportions, losses)


def result(law: str, observed: list[float], predicted: list[float], **kwargs) -> FoldResult:
    """A result with the same losses in both validation domains."""
    values = {
        "fold": "leave-one-mixture-out",
        "size": "S",
        "tokens": 1e6,
        "mixtures": np.array([f"mix-{index:03d}" for index in range(len(observed))]),
    } | kwargs
    pair = [np.repeat(np.array(losses)[:, None], 2, axis=1) for losses in (observed, predicted)]
    return FoldResult(law=law, observed=pair[0], predicted=pair[1], **values)


def score(fold_result: FoldResult, domain: str = "overall") -> dict:
    rows = score_rows([fold_result], COLUMNS, decides="additive")
    return next(row for row in rows if row["validation_domain"] == domain)


def test_scores_of_known_predictions() -> None:
    row = score(result("additive", [1.0, 2.0, 3.0, 4.0], [1.5, 1.0, 3.0, 4.5]))
    assert row["mae"] == pytest.approx(0.5)
    assert row["r2"] == pytest.approx(1 - 1.5 / 5)
    assert row["spearman"] == pytest.approx(0.8)
    assert row["regret"] == pytest.approx(1.0)
    assert row["num_mixtures"] == 4
    assert row["decides"] is True


def test_overall_is_the_weighted_sum() -> None:
    observed = np.array([[1.0, 2.0], [3.0, 5.0], [2.0, 2.0]])
    given = result("additive", [0.0] * 3, [0.0] * 3)
    predicted = FoldResult(**{**vars(given), "observed": observed, "predicted": observed + 0.1})
    assert score(predicted)["mae"] == pytest.approx(0.1)
    assert score(predicted, "a")["r2"] == pytest.approx(1 - 0.03 / 2)
    assert COLUMNS.with_overall(observed)[:, 2].tolist() == [1.75, 4.5, 2.0]


def test_equal_predictions_and_the_mean_of_the_others_have_no_rank_correlation() -> None:
    assert np.isnan(score(result("linear", [1.0, 2.0, 3.0], [2.0, 2.0, 2.0]))["spearman"])
    (mean,) = [r for r in cross_validate_mixtures([], table(np.eye(8)[:, :2])) if r.law == "mean"]
    assert np.ptp(mean.predicted) > 0
    assert np.isnan(score(mean)["spearman"])
    assert score(mean)["r2"] < 0


def test_two_mixtures_have_an_error_and_no_correlation() -> None:
    row = score(result("additive", [1.0, 2.0], [1.0, 2.5]))
    assert row["mae"] == pytest.approx(0.25)
    assert np.isnan(row["r2"])
    assert np.isnan(row["spearman"])


def test_regret_is_that_of_the_lowest_prediction() -> None:
    observed = [1.5, 2.5, 1.0]
    assert score(result("additive", observed, [0.9, 2.0, 1.1]))["regret"] == pytest.approx(0.5)
    assert score(result("additive", observed, [1.4, 2.0, 1.1]))["regret"] == 0
    assert score(result("linear", observed, [2.0, 2.0, 2.0]))["regret"] == pytest.approx(2 / 3)
    mean = result("mean", observed, [1.7, 1.2, 2.0], ranks=False)
    assert score(mean)["regret"] == pytest.approx(2 / 3)
    unseen = score(result("best-observed", observed, [np.inf] * 3, ranks=False))
    assert np.isnan([unseen[name] for name in ("mae", "r2", "spearman", "regret")]).all()


def test_folds_never_predict_what_they_were_fitted_to() -> None:
    """Changing one mixture's loss leaves its own prediction as it was."""
    losses = np.random.default_rng(1).uniform(1, 2, (8, 2))
    changed = losses.copy()
    changed[3] += 5
    for num_folds in (None, 4):
        before = cross_validate_mixtures(["additive"], table(losses), num_folds=num_folds)
        after = cross_validate_mixtures(["additive"], table(changed), num_folds=num_folds)
        assert [r.law for r in before] == ["additive", *BASELINES]
        for old, new in zip(before, after, strict=True):
            assert old.predicted[3].tolist() == new.predicted[3].tolist()
            assert old.fold == ("leave-one-mixture-out" if num_folds is None else "k-fold")
    linear = before[2]
    rest = np.arange(8) % 4 != 3
    fresh = mixing_predictor("linear")(
        table(losses).proportions[rest], losses[rest], table(losses).proportions[3:4]
    )
    assert linear.predicted[3] == pytest.approx(fresh[0], rel=1e-12)


def test_linear_baseline_recovers_a_plane() -> None:
    proportions = table(np.zeros((8, 2))).proportions
    plane = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]])
    found = mixing_predictor("linear")(proportions[:5], proportions[:5] @ plane, proportions[5:])
    assert found == pytest.approx(proportions[5:] @ plane, abs=1e-12)


def test_held_out_mixtures_are_predicted_from_the_others() -> None:
    observations = planted_observations(num_mixtures=12)
    losses = last_losses(observations, "L")
    results = predict_held_out(["additive"], losses, ["mix-010", "mix-011"])
    assert [r.law for r in results] == ["additive", *BASELINES]
    assert results[0].mixtures.tolist() == ["mix-010", "mix-011"]
    assert np.abs(results[0].predicted - results[0].observed).max() < 0.05
    with pytest.raises(DataError, match=r"no held-out mixture of \['held-001'\] has a loss"):
        predict_held_out(["additive"], losses, ["held-001"])


def test_last_losses_average_seeds_at_the_last_common_step() -> None:
    observations = planted_observations(seeds=(0, 1), noise=0.1)
    short = (observations.mixture == "mix-002") & (observations.step > 56)
    losses = last_losses(observations.select(~short), "M")
    assert losses.tokens == 56e5
    rows = (observations.size == "M") & (observations.step == 56)
    one = rows & (observations.mixture == "mix-004")
    assert losses.losses[4] == pytest.approx(observations.losses[one].mean(axis=0), abs=1e-15)
    assert losses.mixtures.tolist() == [f"mix-{index:03d}" for index in range(10)]
    steps = observations.step + (observations.mixture == "mix-002")
    with pytest.raises(DataError, match="runs of size M have no step in common"):
        last_losses(replace(observations, step=steps), "M")


def test_forward_folds_beat_their_baselines() -> None:
    observations = planted_observations(num_mixtures=12)
    columns = Columns(observations.validation_domains, np.full(4, 0.25))
    forecasters = {"nested-additive": forecaster(Nested())}
    by_size = leave_largest_size_out(forecasters, observations)
    by_step = leave_later_steps_out(forecasters, observations, "L")
    for results, size, fold in (
        (by_size, "L", "leave-one-size-out"),
        (by_step, "L", "later-steps"),
    ):
        rows = {
            row["law"]: row
            for row in score_rows(results, columns, decides="additive")
            if row["validation_domain"] == "overall"
        }
        assert set(rows) == {"nested-additive", *BASELINES}
        assert {(row["size"], row["fold"], row["tokens"]) for row in rows.values()} == {
            (size, fold, 8e6)
        }
        assert rows["nested-additive"]["mae"] < 0.5 * rows["best-observed"]["mae"]
        assert rows["nested-additive"]["spearman"] > 0.9
        assert np.isnan(rows["mean"]["spearman"])
    with pytest.raises(DataError, match="no size to leave out beside S"):
        leave_largest_size_out(forecasters, observations.select(observations.size == "S"))


def fake(law: str, errors: np.ndarray, size: str = "S") -> FoldResult:
    return result(law, [2.0] * len(errors), list(2.0 + errors), size=size)


def test_additive_decides_unless_another_is_clearly_better() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, 20)
    additive = fake("additive", 0.02 + noise)
    tie = fake("exponential", 0.019 + np.roll(noise, 1))
    kept = decide([additive, tie], COLUMNS)
    assert kept.law == "additive"
    assert "exponential, misses by 0.0176, which is within the scatter" in kept.reason
    worse = decide([additive, fake("exponential", 0.05 + noise)], COLUMNS)
    assert "exponential, misses by more (0.0" in worse.reason
    better = fake("implicit", 0.005 + 0.2 * noise)
    best = fake("sqrt-linear", 0.001 + 0.1 * noise)
    chosen = decide([additive, tie, better, best], COLUMNS)
    assert chosen.law == "sqrt-linear"
    assert "against 0.0" in chosen.reason
    assert decide([additive, tie, best], COLUMNS, pinned="exponential").law == "exponential"


def test_sizes_are_not_counted_as_independent_evidence() -> None:
    """The same lead at four sizes is as convincing as at one."""
    noise = np.random.default_rng(3).normal(0, 0.02, 12)
    pair = [fake("additive", 0.03 + noise), fake("exponential", 0.021 + np.roll(noise, 3))]
    four = [fake(r.law, (r.predicted - r.observed)[:, 0], size) for size in "ABCD" for r in pair]
    assert decide(pair, COLUMNS) == decide(four, COLUMNS)


def test_baselines_never_decide_and_pins_must_be_scored() -> None:
    additive = fake("additive", np.linspace(0.1, 0.2, 10))
    linear = fake("linear", np.linspace(0.0, 0.01, 10))
    assert decide([additive, linear], COLUMNS).reason == "no other law was scored"
    with pytest.raises(ConfigError, match=r"'implicit' of laws\.mixing was not scored"):
        decide([additive], COLUMNS, pinned="implicit")
    with pytest.raises(ConfigError, match="is not among the scored laws"):
        decide([linear], COLUMNS)


def test_prediction_rows() -> None:
    fold = result("additive", [1.0, 2.0], [1.5, 2.5])
    rows = prediction_rows(fold_predictions(fold), COLUMNS)
    assert len(rows) == 6
    assert rows[2] | {"lower": 0, "upper": 0} == {
        "law": "additive",
        "kind": "leave-one-mixture-out",
        "size": "S",
        "tokens": 1e6,
        "mixture": "mix-000",
        "validation_domain": "overall",
        "predicted": 1.5,
        "lower": 0,
        "upper": 0,
    }
    assert np.isnan(rows[2]["lower"])
    given = PredictedLosses(
        "additive", "target", "target", 1e9, np.array(["optimum"]), np.array([[1.0, 2.0]]),
        np.array([[0.9, 1.9, 1.7]]), np.array([[1.1, 2.1, 1.8]]),
    )  # fmt: skip
    rows = prediction_rows(given, COLUMNS)
    assert [row["upper"] for row in rows] == [1.1, 2.1, 1.8]


def test_laws_of_several_terms_are_candidates_where_mixtures_are_many() -> None:
    few = candidate_laws(255)
    assert few == ("additive", "exponential", "M1", "sqrt-linear", "additive-power")
    assert candidate_laws(256) == (*few, "additive-terms")
    # The paper's implicit law is fitted where the config names it, at any number of mixtures.
    assert set(candidate_laws(20, "implicit")) == {*few, "implicit"}
    assert {"implicit", "additive-terms"} < set(DECIDING_LAWS)
    assert not {"M2", "M3"} & set(DECIDING_LAWS)


def test_many_mixtures_are_left_out_in_eight_groups() -> None:
    generator = np.random.default_rng(0)
    few, many = (table(generator.uniform(2, 3, (count, 2))) for count in (64, 65))
    alone, grouped = leave_mixtures_out([], few)[0], leave_mixtures_out([], many)[0]
    assert (alone.law, alone.fold, grouped.fold) == ("mean", "leave-one-mixture-out", "k-fold")
    # Alone, each mean is of 63 others; in groups it is that of all other groups.
    assert len(np.unique(alone.predicted[:, 0])) == 64
    assert len(np.unique(grouped.predicted[:, 0])) == 8
    others = np.arange(65) % 8 != 3
    assert grouped.predicted[3] == pytest.approx(many.losses[others].mean(axis=0))
