"""Losses that somebody has: Snakemake and `mixlaws fit` write the same bytes."""

import shutil
import subprocess
import sys

import pytest
from own_tables import grid_mixtures, grid_table, write
from workflow_project import copy_project

CONFIG = """
experiment: own
losses: {files: {losses: losses.csv, mixtures: mixtures.csv}}
target: {size: 1B, tokens: 2_000_000}
natural: {web: 0.75, code: 0.25}
laws: {pipeline: nested, mixing: additive}
uncertainty: {replicates: 10}
"""
ARGUMENTS = ["--target", "1B:2M", "--natural", "web=0.75,code=0.25", "--name", "own"]
ARGUMENTS += ["--pipeline", "nested", "--mixing", "additive", "--replicates", "10"]


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    """Run both doors on the same tables; return the two results folders and the project."""
    project = copy_project(tmp_path_factory.mktemp("own") / "project")
    write(project.folder, grid_table(), grid_mixtures())
    (project.folder / "own.yaml").write_text(CONFIG)
    project.snakemake(config="own.yaml")
    shutil.move(project.folder / "results", project.folder / "by_rules")
    tables = ["--losses", "losses.csv", "--mixtures", "mixtures.csv"]
    command = [sys.executable, "-m", "mixlaws", "fit", *tables, *ARGUMENTS]
    subprocess.run(command, cwd=project.folder, env=project.environment(), check=True)
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
