"""experiments/paper.yaml as a user runs it: verdicts, page, and errors in corrupt logs."""

import re
import shutil

import pandas as pd
import pytest
import yaml
from workflow_project import copy_project

DISAGREE = 12
NUM_JOINT_REPLICATES = 20


def run(project, changes, *targets, check=True):
    """Run the paper's experiment with some keys of `published` changed and short bootstraps."""
    config = yaml.safe_load((project.folder / "experiments/paper.yaml").read_text())
    config["published"] |= changes
    config["uncertainty"]["replicates"] = NUM_JOINT_REPLICATES
    (project.folder / "paper.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    arguments = ["--show-failed-logs", *targets]
    return project.snakemake(*arguments, config="paper.yaml", check=check)


@pytest.fixture(scope="module")
def paper(tmp_path_factory, published):
    """Return the project after a whole run, the joint laws with few replicates."""
    project = copy_project(tmp_path_factory.mktemp("paper"))
    run(project, {"folder": str(published / "mixinglaws")})
    return project


@pytest.fixture
def logs(tmp_path, published):
    """Return a copy of the logs that a test may damage."""
    return shutil.copytree(published / "mixinglaws", tmp_path / "logs")


@pytest.mark.slow
def test_verdicts(paper):
    table = pd.read_csv(paper.folder / "results/paper/paper_verdicts.csv", keep_default_na=False)
    assert len(table) == 92
    counts = table["verdict"].value_counts()
    assert counts["disagrees"] == DISAGREE
    assert counts["not reproducible"] == 4
    ours = table.set_index("quantity")["ours"]
    overall = "loss at 1B / 100k, {}, overall"
    assert float(ours["observed " + overall.format("default")]) == pytest.approx(2.7133, abs=1e-4)
    assert float(ours["observed " + overall.format("optimised")]) == pytest.approx(2.6787, abs=1e-4)
    predicted = float(ours["predicted " + overall.format("optimised")])
    assert predicted == pytest.approx(2.5682, abs=0.06)
    differing = set(table.loc[table["verdict"] == "disagrees", "item"])
    assert differing == {"table 1", "figure 5", "predictions figure", "figure 21"}


@pytest.mark.slow
def test_the_page_shows_every_figure_and_the_summary(paper):
    page = (paper.folder / "results/paper/report.html").read_text()
    assert page.count("<figure") == 15
    assert "76 of 88 published numbers reproduce." in page
    for title in ("What reproduces", "What does not", "What is better now"):
        assert title in page
    assert not re.search(r"(?:src|href)=\"https?:", page)
    figures = paper.folder / "results/paper/figures"
    names = {path.stem for path in figures.glob("*.svg")}
    assert names
    assert names == {path.stem for path in figures.glob("*.csv")}
    assert all(len(pd.read_csv(path)) for path in figures.glob("*.csv"))


@pytest.mark.slow
def test_the_joint_laws_interval_stands_beside(paper):
    joint = pd.read_csv(paper.folder / "results/paper/redpajama/joint_predictions.csv")
    last = joint[(joint["step"] == 100_000) & (joint["panel"] == "overall")]
    error = (last["predicted"] - last["observed"]).abs()
    assert len(error) == 2
    assert error.max() <= 0.025
    folds = pd.read_csv(paper.folder / "results/paper/redpajama/forward_folds.csv")
    size = folds[folds["fold"] == "leave-one-size-out"].set_index("law")["mae"]
    assert size["joint"] < 0.5 * size["nested, the paper's"]


@pytest.mark.slow
def test_nothing_to_do_the_second_time(paper, published):
    assert "Nothing to be done" in run(paper, {"folder": str(published / "mixinglaws")})


def test_a_tampered_log_ends_in_one_error(tmp_path, logs):
    path = logs / "data/ct/70M.txt"
    path.write_bytes(path.read_bytes().replace(b"2.8", b"2.7", 1))
    printed = run(
        copy_project(tmp_path / "project"), {"folder": str(logs)}, "verdicts", check=False
    )
    assert "is not the published file: expected sha256 981373f60287c5be" in printed
    assert "Point published.folder to an unchanged copy" in printed


def test_a_missing_log_ends_in_one_error(tmp_path, logs):
    (logs / "data/2Mix/160M.txt").unlink()
    printed = run(
        copy_project(tmp_path / "project"), {"folder": str(logs)}, "verdicts", check=False
    )
    assert "data/2Mix/160M.txt in" in printed
    assert "found no such file" in printed


def test_no_network_names_the_key_for_a_local_copy(tmp_path):
    project = copy_project(tmp_path / "project")
    printed = run(project, {"url": "http://127.0.0.1:9/logs"}, "verdicts", check=False)
    assert "cannot be downloaded from http://127.0.0.1:9/logs" in printed
    assert "published.folder" in printed


def test_a_wrong_key_stops_before_any_work(tmp_path):
    project = copy_project(tmp_path / "project")
    printed = run(project, {"folder": 3, "studys": {}}, "--dry-run", check=False)
    assert "published.folder: must be text, found 3" in printed
    assert "published.studys: unknown key. Did you mean studies?" in printed
