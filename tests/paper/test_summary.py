"""The reproduction's answer in ten lines, to the letter."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from mixlaws.config.complete import complete_config
from mixlaws.errors import DataError
from mixlaws.files import write_json
from mixlaws.paper.summary import summarise_published
from mixlaws.paper.verdicts import COLUMNS
from mixlaws.tables import write_table

ROOT = Path(__file__).parents[2]
ANSWER = """\
paper: Data Mixing Laws (arXiv:2403.16952), from its published losses
  published numbers              3 of 4 agree, 1 differ, 1 cannot be tried
  loss of the default mixture    2.698 predicted (90 % interval of one run 2.652 to 2.727), \
2.713 observed
  loss of the optimised mixture  2.680 predicted (90 % interval of one run 2.646 to 2.712), \
2.679 observed
  gain of the optimised mixture  +0.018 predicted (-0.020 to +0.041), +0.035 observed
  size and tokens                491M (90 % interval 271M to 977M) parameters, 172B (90 % interval \
86.5B to 314B) tokens for 5.07e+20 FLOPs on mix-018
  cost                           nothing was trained
  every number                   results/paper/paper_verdicts.csv
  page                           results/paper/report.html"""


@pytest.fixture
def config():
    return complete_config(yaml.safe_load((ROOT / "experiments/paper.yaml").read_text()))


def test_the_answer(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("results/paper")
    verdicts = ["agrees"] * 3 + ["disagrees", "not reproducible"]
    table = pd.DataFrame({name: ["x"] * 5 for name in COLUMNS} | {"verdict": verdicts})
    write_table(table, folder / "paper_verdicts.csv")
    observed = {"default": 2.7133, "optimised": 2.6787}
    rows = [
        {"law": "x", "role": role, "panel": "overall", "observed": loss, "predicted": 2.7}
        for role, loss in observed.items()
    ]
    write_table(pd.DataFrame(rows), folder / "redpajama" / "target_predictions.csv")
    baselines = {
        "default": {"overall": {"value": 2.698, "one_run": [2.652, 2.727]}},
        "optimised": {"overall": {"value": 2.68, "one_run": [2.646, 2.712]}},
    }
    gain = {"value": 0.018, "one_run": [-0.02, 0.041]}
    record = {"level": 0.9, "baselines": baselines, "gain": gain}
    write_json(record, folder / "redpajama" / "optimum.json")
    best = {
        "num_params": {"value": 4.91e8, "lower": 2.71e8, "upper": 9.77e8},
        "tokens": {"value": 1.72e11, "lower": 8.65e10, "upper": 3.14e11},
    }
    budget = {"flops": 5.069e20, "mixture": "mix-018", "level": 0.9, "reason": ""}
    write_json(budget | {"optimum": best}, folder / "redpajama" / "budget.json")
    assert summarise_published(folder, config) == ANSWER
    del config["compute_budget"]
    assert "size and tokens" not in summarise_published(folder, config)


def test_without_results_it_says_so(config, tmp_path):
    with pytest.raises(
        DataError, match=r"there is no paper_verdicts.csv. Run the experiment first"
    ):
        summarise_published(tmp_path / "paper", config)
