"""The answer in ten lines, to the letter."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mixlaws.config.complete import complete_config
from mixlaws.errors import DataError
from mixlaws.files import write_json
from mixlaws.report.summary import summarise
from mixlaws.tables import write_table

ROOT = Path(__file__).parents[2]


def interval(value, lower, upper):
    return {"value": value, "lower": lower, "upper": upper}


def optimum():
    shares = {"docs": 0.75, "python": 0.25}
    gains = {
        "best_observed": ("mix-001", interval(0.004, -0.01, 0.02)),
        "natural": ("natural", interval(0.15, 0.06, 0.24)),
        "uniform": ("uniform", interval(0.074, -0.017, 0.165)),
    }
    saved = {
        "best_observed": None,
        "natural": interval(0.31, 0.12, 0.46),
        "uniform": interval(0.164, -0.05, 0.33),
    }
    return {
        "target": {"size": "7K", "num_params": 6912, "tokens": 30_720},
        "level": 0.9,
        "proportions": shares,
        "predicted": {"overall": interval(3.656, 3.583, 3.728)},
        "support": {"recommends": True, "states_loss": True, "reason": "", "loss_reason": ""},
        "near_optimal": {"ranges": {domain: [0.0, 1.0] for domain in shares}},
        "baselines": {
            name: {"mixture": m, "gain": gain, "saved_tokens": saved[name]}
            for name, (m, gain) in gains.items()
        },
    }


def confirmation(*, noise=0.024, natural=True):
    gains = {
        "natural": {"observed": 0.147, "beyond_noise": natural},
        "uniform": {"observed": 0.094, "beyond_noise": True},
    }
    mixtures = {"optimum": {"mean": 3.622}, "natural": {"mean": 3.769}, "uniform": {"mean": 3.716}}
    return {
        "seeds": [0, 1],
        "noise": noise,
        "gains": gains,
        "mixtures": mixtures,
        "domains": {"docs": {}, "python": {}},
    }


@pytest.fixture
def config():
    return complete_config(yaml.safe_load((ROOT / "tests/workflow/smoke.yaml").read_text()))


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Write what the summary reads of an experiment with two proxies and two confirmations."""
    monkeypatch.chdir(tmp_path)
    folder = Path("results/smoke")
    write_json(optimum(), folder / "optimum.json")
    write_json(confirmation(), folder / "confirmation.json")
    mixtures = {"id": ["mix-001", "uniform", "natural"], "kind": ["sample", *2 * ["baseline"]]}
    write_table(pd.DataFrame(mixtures), folder / "mixtures.csv")
    losses = {"size": "3K", "mixture": ["mix-001", "uniform"], "seed": 0, "tokens": 10_240}
    losses |= {"validation_domain": "docs", "loss": 4.0}
    write_table(pd.DataFrame(losses), folder / "losses.parquet")
    seconds = {"device_seconds_of_all_attempts": 900.0}
    for name, (base, mixtures) in {
        "runs": ("runs/3K", ["mix-001", "uniform"]),
        "confirmation_runs": ("confirmation", ["optimum", "natural"]),
    }.items():
        runs = {"size": "3K", "mixture": mixtures, "seed": 0, "num_params": 3072, "flops": 1.2e12}
        write_table(pd.DataFrame(runs), folder / f"{name}.csv")
        for mixture in mixtures:
            write_json(seconds, folder / base / mixture / "seed-0" / "timing.json")
    return folder


ANSWER = """\
smoke: the mixture for a model of 6.91K parameters trained on 30.7K tokens
  mixture                            75 % docs and 25 % python
  loss                               3.656 predicted (90 % interval 3.583 to 3.728), \
3.622 observed (mean of 2 runs)
  gain over uniform                  +0.074 (-0.017 to +0.165) predicted, +0.094 observed
  gain over natural                  +0.150 (+0.060 to +0.240) predicted, +0.147 observed
  gain over best observed (mix-001)  +0.004 (-0.010 to +0.020) predicted
  fewer tokens                       16 % (-5 % to 33 %) to the loss of uniform, \
31 % (12 % to 46 %) to the loss of natural
  verdict                            confirmed: the gain over uniform and natural is beyond \
twice the noise between seeds (0.048 nats)
  cost                               1.00 device-hours and 4.80e+12 FLOPs for 4 training runs
  cost of the proxies                29.6 % of one run of the target, in FLOPs
  page                               results/smoke/report.html"""


def test_the_answer_of_a_confirmed_experiment(results, config):
    assert summarise(results, config) == ANSWER
    assert ANSWER.isascii()


def verdict(results, config):
    lines = summarise(results, config).splitlines()
    (line,) = (line for line in lines if line.startswith("  verdict"))
    return line.split(maxsplit=1)[1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"natural": False},
            "not confirmed: the gain over natural is within twice the noise between seeds "
            "(0.048 nats)",
        ),
        ({"noise": None}, "not tested: one seed does not show the noise between runs"),
    ],
)
def test_the_verdict_of_an_experiment_that_is_not_confirmed(results, config, changes, words):
    write_json(confirmation(**changes), results / "confirmation.json")
    assert verdict(results, config) == words


def test_the_verdict_of_a_target_trained_on_one_mixture_alone(results, config):
    write_json(confirmation() | {"gains": {}}, results / "confirmation.json")
    words = "not tested: the target was trained on no other mixture to compare with"
    assert verdict(results, config) == words


@pytest.mark.parametrize(
    ("lower", "words"),
    [
        (
            {"uniform": -0.01, "natural": -0.02, "best_observed": -0.03},
            "predicted, not tested: the target was not trained; it cannot be told from uniform, "
            "natural and best observed",
        ),
        (
            {"uniform": 0.01, "natural": 0.02, "best_observed": -0.03},
            "predicted, not tested: the target was not trained; it cannot be told from best "
            "observed",
        ),
        (
            {"uniform": 0.01, "natural": 0.02, "best_observed": 0.001},
            "predicted, not tested: the target was not trained",
        ),
    ],
)
def test_the_verdict_where_the_target_was_not_trained(results, config, lower, words):
    (results / "confirmation.json").unlink()
    (results / "confirmation_runs.csv").unlink()
    record = optimum()
    for name, value in lower.items():
        record["baselines"][name]["gain"]["lower"] = value
    write_json(record, results / "optimum.json")
    assert verdict(results, config) == words
    assert "observed (mean" not in summarise(results, config)


def test_a_target_that_is_too_far_gets_no_recommendation_and_no_loss(results, config):
    (results / "confirmation.json").unlink()
    (results / "confirmation_runs.csv").unlink()
    support = {
        "recommends": False,
        "states_loss": False,
        "reason": "The interval excludes nothing.",
    }
    support["loss_reason"] = "No loss is stated: the target is too far."
    write_json(optimum() | {"support": support}, results / "optimum.json")
    assert [" ".join(line.split()) for line in summarise(results, config).splitlines()] == [
        "smoke: the mixture for a model of 6.91K parameters trained on 30.7K tokens",
        "mixture 75 % docs and 25 % python: no recommendation, see the verdict",
        "loss No loss is stated: the target is too far",
        "verdict no recommendation: The interval excludes nothing.",
        "cost 0.50 device-hours and 2.40e+12 FLOPs for 2 training runs",
        "cost of the proxies 29.6 % of one run of the target, in FLOPs",
        "page results/smoke/report.html",
    ]


def line_of(results, config, label):
    (line,) = (x for x in summarise(results, config).splitlines() if x.startswith(f"  {label}  "))
    return line.removeprefix(f"  {label}").strip()


def test_the_price_of_the_runs(results, config):
    config["plan"]["price_per_device_hour"] = 2.5
    assert line_of(results, config, "cost") == (
        "1.00 device-hours (price 2.50) and 4.80e+12 FLOPs for 4 training runs"
    )


def test_the_best_size_and_tokens_have_a_line(results, config):
    estimates = {
        "num_params": interval(4.9e8, 2.7e8, 9.8e8),
        "tokens": interval(1.7e11, 8.6e10, 3.1e11),
    }
    record = {"flops": 5.07e20, "mixture": "natural", "level": 0.9, "reason": ""}
    write_json(record | {"optimum": estimates}, results / "budget.json")
    assert line_of(results, config, "size and tokens") == (
        "490M (90 % interval 270M to 980M) parameters, 170B (90 % interval 86B to 310B) tokens "
        "for 5.07e+20 FLOPs on natural"
    )
    write_json(record | {"reason": "It has 2 sizes."}, results / "budget.json")
    assert line_of(results, config, "size and tokens") == (
        "no answer for 5.07e+20 FLOPs: It has 2 sizes."
    )


def test_runs_that_others_trained_have_no_cost(results, config):
    for path in results.glob("**/timing.json"):
        path.unlink()
    for name in ("runs.csv", "confirmation_runs.csv"):
        table = pd.read_csv(results / name).drop(columns="flops")
        write_table(table, results / name)
    assert summarise(results, config).splitlines()[-3].split(maxsplit=1)[1] == (
        "not recorded for 4 training runs"
    )


def test_without_results_it_says_so(config, tmp_path):
    with pytest.raises(
        DataError, match=r"smoke holds no answer yet: there is no optimum.json. Run"
    ):
        summarise(tmp_path / "smoke", config)


@pytest.mark.usefixtures("results")
def test_the_command_prints_it():
    config = str(ROOT / "tests/workflow/smoke.yaml")
    command = [sys.executable, "-m", "mixlaws", "show", "--configfile", config]
    found = subprocess.run(
        command,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert found.stdout == f"{ANSWER}\n", found.stderr
    elsewhere = [*command, "--directory", "nowhere"]
    found = subprocess.run(
        elsewhere,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 1
    assert found.stderr == (
        "nowhere/results/smoke holds no answer yet: there is no optimum.json. Run the experiment "
        "first, or name the folder that holds results/ with --directory\n"
    )
