"""Every run of an experiment, listed once."""

from collections import Counter

import pytest
import yaml

from mixlaws.config.complete import read_sections
from mixlaws.mixtures.lattice import Mixture
from mixlaws.results import Results
from mixlaws.runs.sweep import CONFIRMATION, PROXY, PlannedRun, list_runs

RESULTS = Results("r")


@pytest.fixture
def demo(root):
    return read_sections(yaml.safe_load((root / "tests/config/whole.yaml").read_text()))


def test_every_run_is_listed_once_with_its_role(demo):
    sweep = list_runs(demo)
    assert len(sweep.runs) == len({run.files(RESULTS).folder for run in sweep.runs}) == 42
    assert [*sweep.proxies, *sweep.confirmations] == list(sweep.runs)
    kinds = Counter((run.role, run.kind) for run in sweep.runs)
    assert kinds == {
        (PROXY, "sample"): 24,
        (PROXY, "held-out"): 6,
        (PROXY, "baseline"): 6,
        (CONFIRMATION, "baseline"): 4,
        (CONFIRMATION, "optimum"): 2,
    }


def test_a_run_knows_where_its_files_are(demo):
    sweep = list_runs(demo)
    assert sweep.runs[0] == PlannedRun(PROXY, "sample", "25K", "mix-001", 0, 600, 614_400)
    assert str(sweep.runs[0].files(RESULTS).folder) == "r/runs/25K/mix-001/seed-0"
    assert str(sweep.runs[0].files(RESULTS).checkpoints) == "r/checkpoints/25K/mix-001/seed-0"
    last = sweep.runs[-1]
    assert last == PlannedRun(CONFIRMATION, "baseline", "332K", "natural", 1, 1200, 1_228_800)
    assert str(last.files(RESULTS).folder) == "r/confirmation/natural/seed-1"
    assert str(last.files(RESULTS).checkpoints) == "r/checkpoints/confirmation/natural/seed-1"


def test_without_a_confirmation_the_target_is_not_trained(demo):
    proxies_only = demo.model_copy(update={"confirmation": None})
    assert list_runs(proxies_only).confirmations == []
    assert list_runs(proxies_only).proxies == list_runs(demo).proxies


def test_the_config_decides_all_proportions_but_those_of_natural_and_the_optimum(demo):
    sweep = list_runs(demo)
    trained = {run.mixture for run in sweep.runs}
    assert trained - sweep.proportions.keys() == {"natural", "optimum"}
    assert sweep.proportions["uniform"] == dict.fromkeys(demo.domains, 1 / 3)


def changed(demo, **mixtures):
    known = demo.model_dump()
    known["mixtures"] |= mixtures
    return read_sections(known)


def test_named_mixtures_are_predicted_and_trained_only_if_asked(demo):
    named = {"ours": {"python": 0.25, "docs": 0.75}, "theirs": {"cpp": 1.0}}
    before = list_runs(demo)
    sweep = list_runs(changed(demo, named=named))
    assert sweep.runs == before.runs
    assert [(m.id, m.kind) for m in sweep.predicted] == [("ours", "named"), ("theirs", "named")]
    assert sweep.proportions["ours"] == {"python": 0.25, "docs": 0.75, "cpp": 0.0}
    trained = list_runs(changed(demo, named=named, train_named=["theirs"]))
    assert [m.id for m in trained.predicted] == ["ours"]
    added = [run for run in trained.runs if run not in before.runs]
    assert {(run.role, run.kind, run.mixture) for run in added} == {(PROXY, "named", "theirs")}
    assert len(added) == len(demo.training.sizes) * len(demo.training.seeds)


def test_a_confirmation_trains_a_named_mixture(demo):
    known = demo.model_dump()
    known["mixtures"]["named"] = {"ours": {"python": 0.25, "docs": 0.75}}
    known["confirmation"]["mixtures"] = ["ours"]
    runs = list_runs(read_sections(known)).confirmations
    seeds = known["confirmation"]["seeds"]
    assert [(run.mixture, run.kind) for run in runs if run.seed == seeds[0]] == [
        ("optimum", "optimum"),
        ("ours", "named"),
    ]


def test_natural_is_stated_or_left_out(demo):
    shares = {"python": 0.5, "docs": 0.25, "cpp": 0.25}
    stated = list_runs(changed(demo, natural=shares))
    assert {run.mixture for run in stated.runs} == {run.mixture for run in list_runs(demo).runs}
    assert stated.mixtures[-1] == Mixture("natural", "baseline", shares)
    predicted = list_runs(without_confirmed(demo, natural=shares, train_natural=False))
    assert predicted.predicted == (Mixture("natural", "baseline", shares),)
    out = list_runs(without_confirmed(demo, train_natural=False))
    for sweep in (predicted, out):
        assert "natural" not in {run.mixture for run in sweep.runs}
    assert "natural" not in out.proportions


def without_confirmed(demo, **mixtures):
    known = demo.model_dump()
    known["mixtures"] |= mixtures
    known["confirmation"]["mixtures"] = ["uniform"]
    return read_sections(known)
