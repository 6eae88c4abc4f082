"""An inconsistent swarm is refused; an imported swarm is analysed like our own."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from mixlaws.decision.bootstrap import Sampling, bootstrap
from mixlaws.decision.decide import Evidence, decide_mixture
from mixlaws.decision.intervals import Bounds
from mixlaws.decision.surface import interaction_table, surface_table
from mixlaws.errors import DataError
from mixlaws.laws.pipelines import Nested
from mixlaws.losses.arrays import knows_compute, make_observations
from mixlaws.losses.experiment import open_experiment, supply
from mixlaws.losses.swarm import Swarm
from mixlaws.scoring.difference_variance import DifferenceVariance
from mixlaws.scoring.distance_errors import DistanceErrors
from mixlaws.scoring.distance_folds import Distance
from mixlaws.scoring.level_variance import LevelVariance
from mixlaws.scoring.uncertainty import Uncertainty
from mixlaws.tables import write_table

SHARES = {"a": [0.75, 0.25], "b": [0.5, 0.5], "c": [0.25, 0.75], "d": [0.125, 0.875]}
SIZES = {"S": 1_000, "M": 4_000, "L": 16_000}
STEPS = (10, 20, 40)


def loss_of(size, share, step, place):
    return 2.0 + 9 * SIZES[size] ** -0.2 + step**-0.5 + (place - 0.5) * share


def imported(**changes):
    """Return an imported swarm without seeds, baselines, schedule, vocabulary_size and FLOPs."""
    losses = [
        (size, mixture, step, 64 * step, domain, loss_of(size, web, step, place))
        for size in SIZES
        for mixture, (web, _) in SHARES.items()
        for step in STEPS
        for place, domain in enumerate(("web", "code"))
    ]
    columns = ["size", "mixture", "step", "tokens", "validation_domain", "loss"]
    runs = [(size, mixture, count) for size, count in SIZES.items() for mixture in SHARES]
    mixtures = pd.DataFrame({"id": list(SHARES), "kind": "sample", "phase": 0})
    shares = pd.DataFrame(SHARES.values(), columns=["r_web", "r_code"])
    tables = {
        "losses": pd.DataFrame(losses, columns=columns),
        "runs": pd.DataFrame(runs, columns=["size", "mixture", "num_params"]),
        "mixtures": mixtures.assign(until_tokens=None).join(shares),
    }
    return tables | changes


def write(folder, tables):
    paths = {
        "losses": folder / "losses.parquet",
        "runs": folder / "runs.csv",
        "mixtures": folder / "mixtures.csv",
    }
    for name, path in paths.items():
        write_table(tables[name], path)
    return paths


def seeded(**changes):
    tables = imported(**changes)
    named = ("losses", "runs")
    return Swarm(**tables | {name: tables[name].assign(seed=0) for name in named})


TARGET = {"size": "XL", "tokens": 10_000, "num_layers": 4, "model_width": 64, "num_heads": 4}


def test_runs_of_others_are_opened_for_analysis(tmp_path):
    paths = write(tmp_path, imported())
    experiment = open_experiment(**paths, target=TARGET, weights={"web": 0.5, "code": 0.5})
    seen = experiment.fitted
    assert len(seen) == len(SIZES) * len(SHARES) * len(STEPS)
    assert (experiment.baselines, experiment.held_out) == ({}, ())
    assert not seen.seed.any()
    assert not seen.annealing.any()
    assert (seen.effective_tokens == seen.tokens).all()
    assert (seen.compute_params == seen.num_params).all()
    assert experiment.target.compute_params == experiment.target.num_params
    assert experiment.columns.weights.tolist() == [0.5, 0.5]


def certain(proportions):
    """Return an uncertainty of 0: of two validation domains and the overall loss."""
    differences = DifferenceVariance(np.unique(proportions, axis=0), np.zeros(3), None)
    errors = DistanceErrors(np.zeros(3), (1, 0, 0), (1, 0, 0), (False, False), 2, 2)
    return Uncertainty(LevelVariance(errors, Distance(0, 0), differences))


def test_runs_of_others_are_decided_on(tmp_path):
    """A decision needs neither uniform nor natural mixtures, nor the accounting of the text."""
    paths = write(tmp_path, imported())
    experiment = open_experiment(**paths, target=TARGET, weights={"web": 0.5, "code": 0.5})
    evidence = Evidence(
        experiment.fitted,
        bootstrap(Nested(), experiment.fitted, experiment.target, sampling=Sampling(2)),
        Bounds(experiment.columns, certain(experiment.fitted.proportions), 0.9),
    )
    decision = decide_mixture(
        evidence,
        {"limits": {}, "groups": {}, "max_epochs": 1.0, "maximum_share": 0.0},
        target_tokens=experiment.target.tokens,
        available_tokens=supply({"web": None, "code": None}, None, 1.0),
        baselines=experiment.baselines,
    )
    assert list(decision["baselines"]) == ["best_observed"]
    assert len(surface_table(evidence, decision["proportions"]))
    assert len(interaction_table(evidence))


def test_flops_count_only_beside_the_vocabulary_of_a_target():
    runs = imported()["runs"].assign(flops_per_token=12_000)
    assert not knows_compute(runs)
    assert (make_observations(seeded(runs=runs)).compute_params != 2_000).all()
    runs = runs.assign(vocabulary_size=100)
    assert (make_observations(seeded(runs=runs)).compute_params == 2_000).all()


def test_without_accounting_only_stated_tokens_limit(tmp_path):
    assert supply({"web": 5, "code": None}, None, 4.0) == {"web": 5, "code": None}
    counted = {"domain": ["web", "code"], "split": "train", "num_tokens": [10, 20]}
    write_table(pd.DataFrame(counted), tmp_path / "accounting.csv")
    found = supply({"web": 5, "code": None}, tmp_path / "accounting.csv", 4.0)
    assert found == {"web": 5, "code": 80.0}
    assert supply({"code": None}, tmp_path / "accounting.csv", 0) == {"code": None}


def test_a_schedule_without_the_lengths_of_the_runs():
    """The last step is taken as the run's length, and tokens / steps as the tokens per step."""
    runs = imported()["runs"].assign(schedule="wsd", warmup_steps=2, final_rate=0.0)
    seen = make_observations(seeded(runs=runs.assign(decay_share=0.5)))
    assert seen.annealing[seen.step == max(STEPS)] == pytest.approx(1.0)
    assert seen.annealing[seen.step == 20] == pytest.approx(0.0)
    assert (seen.effective_tokens < seen.tokens).all()


def test_joins_are_by_name_in_any_order():
    swarm = seeded()
    shuffled = {
        name: getattr(swarm, name).sample(frac=1, random_state=0)
        for name in ("losses", "runs", "mixtures")
    }
    weights = {"web": 0.5, "code": 0.5}
    straight = make_observations(dataclasses.replace(swarm, weights=weights))
    found = make_observations(Swarm(**shuffled, weights=weights))
    for name in ("size", "mixture", "step", "proportions", "num_params", "losses"):
        assert np.array_equal(getattr(found, name), getattr(straight, name)), name
    assert swarm.num_params == SIZES
    assert swarm.shares("c").tolist() == [0.25, 0.75]
    with pytest.raises(DataError, match="has 0 rows for 'e' instead of one"):
        swarm.shares("e")


def test_a_swarm_survives_the_disk(tmp_path):
    base = {"web": 3.5, "code": 2.25}
    weights = {"code": 0.75, "web": 0.25}
    dropped = pd.DataFrame(
        {"size": ["S"], "run": [3], "step": [7], "num_validation_domains": [1]}
    ).assign(reason="validation domains missing")
    saved = dataclasses.replace(seeded(), weights=weights, base_losses=base, dropped=dropped)
    saved.save(tmp_path)
    loaded = Swarm.load(tmp_path)
    assert list(loaded.weights.items()) == list(weights.items())
    assert loaded.validation_domains == ("code", "web")
    assert loaded.base_losses == base
    assert loaded.dropped.equals(dropped)
    found, expected = make_observations(loaded), make_observations(saved)
    assert np.array_equal(found.losses, expected.losses)
    assert np.array_equal(found.proportions, expected.proportions)
    (tmp_path / "mixtures.csv").unlink()
    with pytest.raises(DataError, match=r"mixtures.csv"):
        Swarm.load(tmp_path)


def without(name, **where):
    table = imported()[name]
    chosen = np.logical_and.reduce([table[column] == value for column, value in where.items()])
    return {name: table[~chosen]}


def twice(name):
    table = imported()[name]
    return {name: pd.concat([table, table[:1]])}


def changed(name, column, value):
    return {name: imported()[name].assign(**{column: value})}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (without("losses", size="S", mixture="a", step=20, validation_domain="code"),
         r"no loss of code at \['S', 'a', 0, 20\]"),
        (without("losses", size="M", mixture="b"), r"no losses for the runs \['M', 'b', 0\]"),
        (without("runs", mixture="c"), r"no run for losses of \['S', 'c', 0\], \['M', 'c', 0\]"),
        (without("mixtures", id="d"), r"no proportions for the mixtures d"),
        (twice("losses"), r"repeated losses \['S', 'a', 0, 10, 'web'\]"),
        (twice("runs"), r"repeated runs \['S', 'a', 0\]"),
        (twice("mixtures"), r"repeated mixtures \['a', 0\]"),
        (changed("runs", "num_params", np.nan), r"no num_params for the runs \['S', 'a', 0\], "),
        (changed("mixtures", "r_code", [0.25, 0.5, np.nan, 1.0]),
         r"shares that do not sum to 1 \['c', 0\], \['d', 0\]"),
        ({"weights": {"web": 1.0}}, r"with only a weight or only losses code"),
    ],
)  # fmt: skip
def test_tables_that_do_not_fit_together_are_refused(changes, message):
    with pytest.raises(DataError, match=r"do not fit together: .*" + message):
        seeded(**changes)


def test_all_that_is_missing_is_listed_at_once():
    changes = without("runs", mixture="c") | without("mixtures", id="d")
    with pytest.raises(DataError, match=r"no run for losses of .*; no proportions .*Add the"):
        seeded(**changes)


def test_mixtures_of_several_phases_are_kept_but_not_fitted():
    mixtures = imported()["mixtures"]
    second = mixtures[:1].assign(phase=1, r_web=0.5, r_code=0.5)
    first = mixtures.assign(until_tokens=[640.0, None, None, None])
    swarm = seeded(mixtures=pd.concat([first, second], ignore_index=True))
    with pytest.raises(DataError, match=r"the mixtures a change during the run"):
        make_observations(swarm)
