"""`mixlaws size`, as a user types it."""

import json
import sys

import pytest
import yaml

from mixlaws.__main__ import main


@pytest.fixture
def say(tmp_path, write_results, monkeypatch, capsys):
    """Return a function that runs the command on a finished experiment: status, out, err."""
    config = write_results(tmp_path / "results" / "demo")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo.yaml").write_text(yaml.safe_dump(config))

    def run(*arguments):
        command = ["mixlaws", "size", "--configfile", "demo.yaml", *arguments]
        monkeypatch.setattr(sys, "argv", command)
        capsys.readouterr()
        status = main()
        return status, *capsys.readouterr()

    return run


def test_the_best_size_is_printed(say):
    status, printed, _ = say("--flops", "4.4e12")
    assert status == 0
    first = printed.splitlines()[0]
    assert first.startswith(
        "With 4.40e12 FLOPs and the mixture uniform, the lowest loss is predicted"
    )
    status, printed, _ = say("--flops", "4.4e12", "--mixture", "mix-001", "--json")
    record = json.loads(printed)
    assert (status, record["mixture"], record["flops"]) == (0, "mix-001", 4.4e12)
    status, printed, _ = say("--flops", "4.4e12", "--count", "counted", "--json")
    counted = json.loads(printed)["optimum"]
    # The head and attention cost FLOPs too, so that fewer are left for the rest.
    assert counted["num_params"]["value"] < record["optimum"]["num_params"]["value"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no number of FLOPs is given. State --flops 1e21, or compute_budget.flops\n"),
        (
            ("--flops", "4e12", "--mixture", "books"),
            "no run was trained on the mixture books. Choose one of ",
        ),
    ],
)
def test_errors_are_one_line(say, arguments, words):
    status, printed, error = say(*arguments)
    assert (status, printed) == (1, "")
    assert error.startswith(words)
    assert error.count("\n") == 1


def test_an_experiment_without_results_is_named(say, tmp_path):
    status, _, error = say("--flops", "4e12", "--directory", str(tmp_path / "elsewhere"))
    assert status == 1
    assert error.endswith("losses.parquet does not exist. Run the experiment demo first\n")
