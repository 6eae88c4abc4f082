"""Losses that somebody has: Snakemake and `mixlaws fit` write the same bytes."""

import json
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from own_tables import grid_mixtures, grid_table, write
from workflow_project import copy_project

from mixlaws.provenance import COMMAND

CONFIG = """
experiment: own
losses: {files: {losses: losses.csv, mixtures: mixtures.csv}}
target: {size: 1B, tokens: 2_000_000}
mixtures: {natural: {web: 0.75, code: 0.25}, named: {ours: {web: 0.6, code: 0.4}}}
recipes: {tokens_per_document: {web: 800, code: 200}}
laws: {pipeline: nested, mixing: additive}
uncertainty: {replicates: 10}
"""
ARGUMENTS = ["--target", "1B:2M", "--natural", "web=0.75,code=0.25", "--name", "own"]
ARGUMENTS += ["--named", "ours:web=0.6,code=0.4", "--tokens-per-document", "web=800,code=200"]
ARGUMENTS += ["--pipeline", "nested", "--mixing", "additive", "--replicates", "10"]


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    """Run both doors on the same tables; return the two results folders and the project."""
    # The page shows the command, which is all that differs.
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv(COMMAND, "either door")
    project = copy_project(tmp_path_factory.mktemp("own") / "project")
    write(project.folder, grid_table(), grid_mixtures())
    (project.folder / "own.yaml").write_text(CONFIG)
    project.snakemake(config="own.yaml")
    shutil.move(project.folder / "results", project.folder / "by_rules")
    tables = ["--losses", "losses.csv", "--mixtures", "mixtures.csv"]
    command = [sys.executable, "-m", "mixlaws", "fit", *tables, *ARGUMENTS]
    subprocess.run(command, cwd=project.folder, env=project.environment(), check=True)
    monkeypatch.undo()
    return project, project.folder / "by_rules/own", project.folder / "results/own"


def contents(folder):
    """Return the bytes of every result but logs and costs."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    names = [path.relative_to(folder).as_posix() for path in files]
    return {
        name: path.read_bytes()
        for name, path in zip(names, files, strict=True)
        if not name.startswith(("logs/", "benchmarks/")) and "/." not in f"/{name}"
    }


def test_both_doors_write_the_same_bytes(doors):
    _, rules, command = (doors[0], contents(doors[1]), contents(doors[2]))
    assert set(rules) == set(command)
    assert {"report.html", "optimum.json", "import.json", "losses.parquet", "laws/law.json",
            "recipes/README.md"} <= set(rules)  # fmt: skip
    assert [name for name in rules if rules[name] != command[name]] == []


def test_the_page_shows_where_the_losses_came_from(doors):
    page = (doors[2] / "report.html").read_text()
    assert "288 losses of 24 runs on 6 mixtures, 2 domains and 2 validation domains" in page
    assert "The learning-rate schedule of the runs is not stated" in page
    assert "natural" in page


def test_a_second_run_does_nothing(doors):
    project = doors[0]
    shutil.rmtree(project.folder / "results")
    shutil.copytree(project.folder / "by_rules", project.folder / "results")
    assert "Nothing to be done" in project.snakemake("--dry-run", config="own.yaml")


@pytest.mark.slow
def test_the_published_pair_of_regmix_in_one_command(published, tmp_path):
    """512 runs to a page with held-out scores of all laws, and no claim about another size."""
    folder = published / "regmix"
    command = [sys.executable, "-m", "mixlaws", "fit", "--reader", "regmix", "--name", "regmix"]
    command += ["--losses", str(folder / "train_pile_loss_1m.csv"), "--replicates", "10"]
    command += ["--mixtures", str(folder / "train_mixture_1m.csv")]
    subprocess.run(command, cwd=tmp_path, check=True)
    results = tmp_path / "results/regmix"
    record = json.loads((results / "import.json").read_text())
    assert (record["num_runs"], len(record["domains"])) == (512, 17)
    assert len(record["validation_domains"]) == 13
    scores = pd.read_csv(results / "laws/scores.csv")
    assert set(scores["size"]) == {"1M"}
    assert {"additive", "exponential", "linear", "mean"} <= set(scores["law"])
    cc = scores[(scores["law"] == "additive") & (scores["validation_domain"] == "pile_cc")]
    assert cc["spearman"].min() >= 0.985
    optimum = json.loads((results / "optimum.json").read_text())
    assert optimum["target"] == {"size": "1M", "tokens": 1e9, "num_params": 1_000_000}
    assert sum(optimum["proportions"].values()) == pytest.approx(1, abs=1e-9)
    page = (results / "report.html").read_text()
    assert "nothing is said about losses at another size" in page
    refused = subprocess.run(
        [*command, "--target", "1B:100B"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "losses of one size (1,000,000 parameters) cannot be extrapolated" in refused.stderr
