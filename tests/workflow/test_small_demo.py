"""A smaller version of the demo finds the right mixture."""

import json

import pandas as pd
import pytest
from workflow_project import copy_project

CONFIG = "tests/workflow/small_demo.yaml"
TRAINED = ["python", "docs", "cpp"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    project = copy_project(tmp_path_factory.mktemp("small_demo"))
    project.snakemake(config=CONFIG, timeout=1800)
    return project.folder / "results" / "small_demo"


def read(results, name):
    return json.loads((results / name).read_text())


@pytest.mark.slow
def test_the_optimum_leans_to_the_weighted_domain(results):
    optimum = read(results, "optimum.json")
    assert optimum["proportions"]["docs"] == max(optimum["proportions"].values())
    assert optimum["proportions"]["docs"] > 0.45
    low, high = optimum["intervals"]["docs"]
    assert low <= optimum["proportions"]["docs"] <= high
    assert optimum["certificate"]["convex"]
    assert optimum["certificate"]["gap"] <= 1e-6


@pytest.mark.slow
def test_the_confirmation_bears_the_prediction_out(results):
    confirmation = read(results, "confirmation.json")
    for baseline in ("uniform", "natural"):
        assert confirmation["gains"][baseline]["observed"] > 0
    assert confirmation["mean_absolute_error"] < 0.15
    losses = {id: entry["mean"] for id, entry in confirmation["mixtures"].items()}
    assert min(losses, key=losses.get) == "optimum"


@pytest.mark.slow
def test_the_deciding_law_ranks_unseen_mixtures(results):
    scores = pd.read_csv(results / "laws" / "scores.csv")
    deciding = scores[scores["decides"] & (scores["fold"] == "leave-one-mixture-out")]
    by_domain = deciding[deciding["size"] == "target"].set_index("validation_domain")
    assert (by_domain.loc[TRAINED, "spearman"] >= 0.8).all()
