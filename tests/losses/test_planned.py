"""The tables of runs and mixtures are those of the sweep; what is missing or doubled is named."""

import pandas as pd
import pytest

from mixlaws.errors import DataError
from mixlaws.losses.planned import check_mixtures_planned, check_runs_planned

RUNS = [("1M", "mix-001", 0), ("1M", "mix-002", 0), ("1M", "uniform", 0)]
MIXTURES = {"mix-001": "sample", "mix-002": "held-out", "uniform": "baseline"}
DELETE = "\nDelete the file and rerun the rule that writes it"


def runs(keys):
    return pd.DataFrame(keys, columns=["size", "mixture", "seed"])


def mixtures(kinds):
    return pd.DataFrame({"id": list(kinds), "kind": list(kinds.values())})


@pytest.mark.parametrize(
    ("keys", "problems"),
    [
        (RUNS[:2], "1 problem:\n  - missing: 1M/uniform/seed-0"),
        ([*RUNS, RUNS[1]], "1 problem:\n  - doubled: 1M/mix-002/seed-0"),
        (
            [*RUNS[:2], ("1M", "uniform", 1)],
            "2 problems:\n  - missing: 1M/uniform/seed-0\n  - not in the sweep: 1M/uniform/seed-1",
        ),
        ([], "1 problem:\n  - missing: 1M/mix-001/seed-0, 1M/mix-002/seed-0, 1M/uniform/seed-0"),
    ],
)
def test_runs(keys, problems):
    check_runs_planned(runs(RUNS[::-1]), RUNS, "runs.csv")
    with pytest.raises(DataError) as caught:
        check_runs_planned(runs(keys), RUNS, "runs.csv")
    words = "the runs in runs.csv are not those of the config's sweep, "
    assert str(caught.value) == words + problems + DELETE


def test_many_missing_runs_are_counted():
    with pytest.raises(DataError, match=r"/seed-0, 1M/m12/seed-0 and 15 more\n"):
        check_runs_planned(runs([]), [("1M", f"m{k}", 0) for k in range(20)], "runs.csv")


@pytest.mark.parametrize(
    ("kinds", "problem"),
    [
        ({"mix-001": "sample", "uniform": "baseline"}, "missing: mix-002"),
        (MIXTURES | {"mix-002": "sample"}, "mix-002 is sample, not held-out"),
        (MIXTURES | {"mix-003": "sample"}, "not in the sweep: mix-003"),
    ],
)
def test_mixtures(kinds, problem):
    check_mixtures_planned(mixtures(MIXTURES), MIXTURES, "mixtures.csv")
    with pytest.raises(DataError) as caught:
        check_mixtures_planned(mixtures(kinds), MIXTURES, "mixtures.csv")
    words = "the mixtures in mixtures.csv are not those of the config's sweep, 1 problem:\n  - "
    assert str(caught.value) == words + problem + DELETE


def test_the_tables_of_an_experiment(write_results, tmp_path):
    """Each stage that opens them compares; here the one that scores the laws."""
    from mixlaws.config.complete import read_sections
    from mixlaws.runs.sweep import describe_target, list_runs
    from mixlaws.scoring.record import open_tables

    config = write_results(tmp_path)
    sections = read_sections(config, is_checked=True)
    names = {"losses": "losses.parquet", "runs": "runs.csv", "mixtures": "mixtures.csv"}
    inputs = {name: tmp_path / path for name, path in names.items()}
    settings = {"weights": config["validation"]["weights"], "target": describe_target(sections)}
    settings |= {"planned": list_runs(sections).keys()}
    assert len(open_tables(inputs, settings).observations) > 10
    for name in ("runs", "mixtures"):
        text = inputs[name].read_text()
        *kept, last = text.splitlines(keepends=True)
        inputs[name].write_text("".join(kept))
        with pytest.raises(DataError, match=rf"^the {name} in .*{name}.csv .*\n  - missing: "):
            open_tables(inputs, settings)
        inputs[name].write_text(text + last)
        with pytest.raises(DataError, match=rf"^the {name} in .*{name}.csv .*\n  - doubled: "):
            open_tables(inputs, settings)
        inputs[name].write_text(text)
