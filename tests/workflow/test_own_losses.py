"""Losses that somebody has: Snakemake and `mixlaws fit` write the same bytes."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from own_tables import grid_mixtures, grid_table, write
from workflow_project import copy_project

from mixlaws.__main__ import main
from mixlaws.decision.prediction import predict_experiment
from mixlaws.laws.files import fitted_law
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


def test_a_named_mixture_is_compared_and_has_recipes(doors):
    folder = doors[2]
    optimum = json.loads((folder / "optimum.json").read_text())
    ours = optimum["baselines"]["ours"]
    assert optimum["named"] == ["ours"]
    assert ours["proportions"] == {"web": 0.6, "code": 0.4}
    gain = ours["overall"]["value"] - optimum["predicted"]["overall"]["value"]
    assert ours["gain"]["value"] == pytest.approx(gain, abs=1e-12)
    assert ours["gain"]["lower"] <= ours["gain"]["value"] <= ours["gain"]["upper"]
    assert "the mixture ours" in (folder / "report.html").read_text()
    recipe = json.loads((folder / "recipes/ours/hugging_face.json").read_text())
    assert recipe["unit"] == "share of documents"
    # .6/800 to .4/200 is 3 to 8.
    assert recipe["probabilities"] == pytest.approx([8 / 11, 3 / 11], abs=1e-4)


def predict(folder, *arguments):
    command = [sys.executable, "-m", "mixlaws", "predict", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_predict_answers_as_the_decision_does(doors):
    folder = doors[0].folder
    found = predict(folder, "own", "--mixture", "web=0.6,code=0.4", "--json")
    record = json.loads(found.stdout)
    optimum = json.loads((doors[2] / "optimum.json").read_text())
    assert record["losses"] == optimum["baselines"]["ours"]["predicted"]
    assert record["target"] == {"num_params": 1e9, "tokens": 2e6}
    overall = record["losses"]["overall"]
    lines = predict(folder, "own", "--mixture", "ours").stdout.splitlines()
    assert lines[0] == (
        "60 % web and 40 % code, for 1B parameters and 2M tokens: loss in nats per token, with the "
        "90 % interval of the expected loss"
    )
    ends = " to ".join(f"{overall[end]:.3f}" for end in ("lower", "upper"))
    assert lines[-1] == f"  overall  {overall['value']:.3f}  {ends}"


def test_predict_imports_little(doors):
    code = (
        "import sys; from mixlaws.decision.prediction import predict_experiment as p; "
        f"p({str(doors[2])!r}, 'ours'); import mixlaws.__main__; "
        "print([m for m in ('torch', 'snakemake', 'matplotlib', 'pandas') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_predict_at_another_target_is_the_law_fitted_there(doors):
    """targets.json holds the law at a grid of targets."""
    folder = doors[2]
    record = json.loads((folder / "laws/law.json").read_text())
    grid = json.loads((folder / "laws/targets.json").read_text())["grid"]
    size, tokens = grid["num_params"][1], grid["tokens"][2]
    cell = fitted_law(record | {"laws": grid["laws"][1][2]})
    found = predict_experiment(folder, {"web": 0.3, "code": 0.7}, size=str(size), tokens=tokens)
    expected = cell.columns.with_overall(cell.law.predict(np.array([[0.3, 0.7]])))[0]
    assert [each["value"] for each in found.losses.values()] == pytest.approx(expected, abs=1e-9)
    home = predict_experiment(folder, {"web": 0.3, "code": 0.7})
    width, wider = (
        p.losses["overall"]["upper"] - p.losses["overall"]["lower"]
        for p in (predict_experiment(folder, "ours"), predict_experiment(folder, "ours", size="8B"))
    )
    assert wider > width
    assert predict_experiment(folder, "ours", size="1B", tokens=2e6).losses == (
        predict_experiment(folder, "ours").losses
    )
    assert home.target.num_params == 1e9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["own", "--mixture", "web=0.5,maths=0.5"],
            "the mixture has unknown domains: maths. The law knows web, code",
        ),
        (
            ["own", "--mixture", "web=0.6,code=0.5"],
            "the shares of the mixture sum to 1.1, not 1. Correct them",
        ),
        (
            ["own", "--mixture", "web=1.5,code=-0.5"],
            "the mixture has shares outside 0 to 1: web, code. Correct them",
        ),
        (
            ["own", "--mixture", "web=0.6,code"],
            "--mixture: 'web=0.6,code' is not NAME=NUMBER,NAME=NUMBER. Write it as "
            "web=0.6,code=0.4",
        ),
        (
            ["own", "--mixture", "theirs"],
            "there is no mixture 'theirs' in results/own/optimum.json. Known are optimum, "
            "best_observed, natural, ours; or state shares, as web=0.6,code=0.4",
        ),
        (
            ["own", "--mixture", "ours", "--size", "1T"],
            "the law says nothing of 1T parameters: the runs support 1M to 64B, 1,000 times the "
            "largest run. Change --size",
        ),
        (
            ["own", "--mixture", "ours", "--tokens", "500"],
            "the law says nothing of 500 tokens: the runs support 10K to 320M, 1,000 times the "
            "largest run. Change --tokens",
        ),
        (
            ["own", "--mixture", "ours", "--size", "big"],
            "--size is 'big', which is no label of the runs' sizes (16M, 1M, 4M, 64M, 1B) and no "
            "number. State a number such as 1B",
        ),
        (
            ["other", "--mixture", "ours"],
            "results/other holds no fitted law: there is no laws/law.json. Run the experiment "
            "first, or name the folder that holds results/ with --directory",
        ),
    ],
)
def test_predict_refuses_in_one_line(doors, arguments, words, capsys, monkeypatch):
    monkeypatch.chdir(doors[0].folder)
    monkeypatch.setattr(sys, "argv", ["mixlaws", "predict", *arguments])
    assert main() == 1
    assert capsys.readouterr().err == f"{words}\n"


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
