"""The reader of a results folder."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mixlaws.errors import DataError
from mixlaws.figure_folder import FigureFolder
from mixlaws.files import write_json
from mixlaws.results import Results
from mixlaws.tables import write_table


def test_what_a_stage_would_have_written_is_absent_without_it(tmp_path):
    results = Results(tmp_path)
    names = ("accounting", "contamination", "scores", "predictions", "choice", "step_law")
    names += (
        "law",
        "line_law",
        "slope_tests",
        "size_law",
        "surface",
        "interaction",
        "confirmation",
        "confirmation_runs",
    )
    assert [getattr(results, name) for name in (*names, "confirmation_losses")] == [None] * 15
    assert results.recipes() == {}
    assert results.job_seconds() == {}
    assert results.run_records() == results.confirmation_records() == []
    assert results.figures.table("cost") is None


@pytest.mark.parametrize("name", ["mixtures", "runs", "losses", "optimum"])
def test_what_every_experiment_has_is_missed(tmp_path, name):
    with pytest.raises(DataError, match=name):
        getattr(Results(tmp_path), name)


def test_figures_that_were_not_drawn_are_missed(tmp_path):
    with pytest.raises(DataError, match=r"there is no .*index.json"):
        FigureFolder(tmp_path).index()


def test_the_files_of_a_run_have_their_places(tmp_path):
    results = Results(tmp_path)
    run = results.run("70M", "mix-001", 3)
    assert run.losses == tmp_path / "runs/70M/mix-001/seed-3/losses.csv"
    assert run.progress == tmp_path / "checkpoints/70M/mix-001/seed-3/progress.jsonl"
    assert run.log == tmp_path / "logs/train_proxy/70M/mix-001/seed-3.log"
    target = results.confirmation_run("optimum", 0)
    assert target.log == tmp_path / "logs/train_confirmation/optimum/seed-0.log"
    assert target.timing == tmp_path / "confirmation/optimum/seed-0/timing.json"
    assert target.checkpoints == tmp_path / "checkpoints/confirmation/optimum/seed-0"
    write_json({"versions": {"torch": "2"}}, run.record)
    assert results.run_records() == [{"versions": {"torch": "2"}}]


def test_baselines_are_the_mixtures_of_that_kind(tmp_path):
    kinds = {"a": "baseline", "1": "sample", "b": "baseline"}
    write_table(pd.DataFrame(kinds.items(), columns=["id", "kind"]), tmp_path / "mixtures.csv")
    assert Results(tmp_path).baselines == ["a", "b"]


def test_seconds_are_those_of_every_job_of_a_rule(tmp_path):
    for name, seconds in {
        "fit_laws.json": 1.5,
        "read_part/a.json": 2,
        "read_part/b.json": 3,
    }.items():
        write_json({"seconds": seconds}, tmp_path / "benchmarks" / name)
    assert Results(tmp_path).job_seconds() == {"fit_laws": [1.5], "read_part": [2.0, 3.0]}


def test_pandas_comes_with_the_first_table():
    code = "import sys; from mixlaws.results import Results; print('pandas' in sys.modules)"
    root = Path(__file__).parents[1]
    found = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert found.stdout.strip() == "False", found.stderr
