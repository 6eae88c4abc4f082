"""The words of budget.json, the costs beside the target, and the section of the page."""

import copy

import pandas as pd
import pytest
from fixture_page import text_of, write_page
from fixture_truth import SIZES, TARGET, TARGET_TOKENS, Planted

from mixlaws.config.complete import complete_config
from mixlaws.decision.compute_budget import divide_budget
from mixlaws.files import read_json
from mixlaws.report.budget import budget_findings, describe_budget, parameter_table
from mixlaws.report.costs import cost_share_table, measure_costs, saving_table
from mixlaws.report.data import PageData
from mixlaws.results import Results
from mixlaws.size_command import FILES


def interval(value, lower, upper):
    return {"value": value, "lower": lower, "upper": upper}


RECORD = {
    "flops": 5.07e20,
    "count": "6ND",
    "mixture": "uniform",
    "level": 0.9,
    "reason": "",
    "parameters": {
        "E": interval(1.4, 1.1, 1.9),
        "A": interval(1.07, 0.7, 1.44),
        "alpha": interval(0.165, 0.126, 0.242),
        "B": interval(0.733, 0.367, 1.03),
        "beta": interval(0.332, 0.249, 0.623),
    },
    "reference_params": 1.74e8,
    "reference_tokens": 3.75e10,
    "num_runs": 5,
    "growth": {
        "flops": 10.0,
        "num_params": interval(4.66, 3.5, 6.1),
        "tokens": interval(2.15, 1.64, 2.86),
    },
    "next_doubling": {
        "num_params": 8.06e8,
        "tokens": 1.05e11,
        "gain_of_tokens": interval(0.102, 0.062, 0.125),
        "gain_of_size": interval(0.084, 0.068, 0.094),
        "ratio": interval(1.21, 0.76, 1.67),
    },
    "optimum": {
        "num_params": interval(4.91e8, 2.71e8, 9.77e8),
        "tokens": interval(1.72e11, 8.65e10, 3.14e11),
        "tokens_per_parameter": interval(350.0, 88.5, 1180.0),
        "loss": interval(2.686, 2.637, 2.741),
    },
    "rule_of_thumb": {
        "tokens_per_parameter": 20.0,
        "num_params": 2.06e9,
        "tokens": 4.11e10,
        "excess": interval(0.078, 0.027, 0.154),
    },
    "joint": {
        "reason": "",
        "num_params": interval(6.3e8, 5e8, 9e8),
        "tokens": interval(1.34e11, 1e11, 1.7e11),
        "proportions": {"web": 0.7, "code": 0.3},
        "at_limit": ["code"],
        "uses_all_text": False,
        "unlimited": {
            "reason": "",
            "num_params": {"value": 6e8},
            "tokens": {"value": 1.4e11},
            "proportions": {"web": 0.6, "code": 0.4},
        },
    },
}

ANSWER = """\
With 5.07e20 FLOPs and the mixture uniform, the lowest loss is predicted for a model of 491M (90 % \
interval 271M to 977M) parameters trained on 172B (90 % interval 86.5B to 314B) tokens.
These are 350 (90 % interval 88.5 to 1,180) tokens per parameter. The rule of thumb of 20 lies \
outside this interval. It would train 2.06B parameters on 41.1B tokens, and its predicted loss is \
0.078 (90 % interval 0.027 to 0.154) nats higher.
Should data grow before size? These runs do not tell. From the largest run of this mixture (806M \
parameters, 105B tokens), twice the tokens lower the loss by 0.102 (90 % interval 0.062 to 0.125) \
nats and twice the parameters by 0.084 (90 % interval 0.068 to 0.094) nats. Both cost the same. \
Tokens gain 1.21 (90 % interval 0.76 to 1.67) times as much as parameters.
With 10 times the FLOPs, let the parameters grow 4.66 (90 % interval 3.5 to 6.1) times and the \
tokens 2.15 (90 % interval 1.64 to 2.86) times.
If the mixture is chosen too, within the limits of the shares and of the text that there is, the \
joint laws take 630M (90 % interval 500M to 900M) parameters, 134B (90 % interval 100B to 170B) \
tokens and 70 % web and 30 % code.
At their limit: code.
With as much text as wanted it would be 600M parameters, 140B tokens and 60 % web and 40 % code.
L(N, D) = E + A (N / N0)^-alpha + B (D / D0)^-beta of the overall loss, mixture uniform: \
N0 = 174M, D0 = 37.5B, fitted to 5 runs.
  irreducible loss E (nats): 1.400 (1.100 to 1.900)
  A, the size's part at N0 (nats): 1.070 (0.700 to 1.440)
  alpha, exponent of the size: 0.165 (0.126 to 0.242)
  B, the tokens' part at D0 (nats): 0.733 (0.367 to 1.030)
  beta, exponent of the tokens: 0.332 (0.249 to 0.623)"""


def test_the_answer_for_the_terminal():
    assert describe_budget(RECORD) == ANSWER
    assert ANSWER.isascii()


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (interval(2.0, 1.2, 3.1), "Should data grow before size? Yes. From"),
        (
            interval(0.5, 0.3, 0.9),
            "Should data grow before size? No, let the size grow first. From",
        ),
    ],
)
def test_the_advice_follows_the_fit(ratio, words):
    record = copy.deepcopy(RECORD)
    record["next_doubling"]["ratio"] = ratio
    assert sum(words in each.text for each in budget_findings(record)) == 1


def test_text_that_is_used_up_is_said():
    record = copy.deepcopy(RECORD)
    record["joint"]["uses_all_text"] = True
    (caution,) = (each for each in budget_findings(record) if each.tone == "caution")
    assert caution.text.startswith("This uses all text that the limits allow")


def test_without_a_fit_only_the_reason_is_said():
    record = {name: RECORD[name] for name in ("flops", "count", "mixture", "level")}
    record |= {"reason": "It has 2 sizes.", "joint": {"reason": "There is one size."}}
    assert [each.text for each in budget_findings(record)] == [
        "No size is named for 5.07 × 10²⁰ FLOPs on the mixture uniform. It has 2 sizes.",
        "Size, tokens and mixture together: There is one size.",
    ]
    assert parameter_table(record) is None


FLOPS = 6 * 172_000 * 4_300_000


@pytest.fixture(scope="module")
def experiment(tmp_path_factory, write_results):
    """Return the results of a planted truth with a compute budget, and their config."""
    folder = tmp_path_factory.mktemp("budget")
    config = write_results(folder)
    config["plan"]["price_per_device_hour"] = 3.0
    config = complete_config(config | {"compute_budget": {"flops": FLOPS}})
    inputs = {name: str(folder / path) for name, path in FILES.items()}
    settings = {name: config[name] for name in ("optimum", "uncertainty", "seed", "compute_budget")}
    record = read_json(folder / "optimum.json")["target"]
    settings |= {"target": record | {"schedule": "constant", "warmup_steps": 30}}
    settings |= {"weights": config["validation"]["weights"], "available_tokens": {}}
    outputs = {"budget": folder / "budget.json", "isoflop": folder / "laws" / "isoflop.csv"}
    divide_budget(inputs, outputs, settings | {"measured_factor": 0})
    return folder, config


def test_the_planted_optimum_of_a_whole_experiment(experiment):
    """Both terms are planted: .6 (N / 1e5)^-.4 and .8 (D / 1e6)^-.5."""
    folder, _ = experiment
    found = read_json(folder / "budget.json")
    assert found["mixture"] == "uniform"
    assert found["parameters"]["alpha"]["value"] == pytest.approx(0.4, abs=0.03)
    assert found["parameters"]["beta"]["value"] == pytest.approx(0.5, abs=0.01)
    # ln(N / 1e5) = (ln(.24 / .4) + .5 ln(C / 6e11)) / .9
    expected = 1e5 * ((0.24 / 0.4) * (FLOPS / 6e11) ** 0.5) ** (1 / 0.9)
    assert found["optimum"]["num_params"]["value"] == pytest.approx(expected, rel=0.05)
    lower, upper = (found["optimum"]["num_params"][end] for end in ("lower", "upper"))
    assert lower <= expected <= upper


def test_the_page_shows_size_tokens_savings_and_costs(experiment):
    folder, config = experiment
    page = write_page(folder, config)
    words = text_of(page)
    for each in budget_findings(read_json(folder / "budget.json")):
        assert each.text.replace("\xa0", " ") in words
    assert "Loss against size at equal FLOPs" in words
    assert "Loss against accuracy: which one tells mixtures apart" in words
    assert "final overall accuracy" in words
    assert "Fewer tokens to the same loss" in words
    assert "What the proxies cost beside one run of the target" in words
    signal = pd.read_csv(folder / "figures" / "signal_to_noise.csv")
    assert set(signal["measure"]) == {"loss", "accuracy"}
    assert set(signal["size"]) == set(Planted().sizes)


def test_the_costs_of_proxies_and_target(experiment):
    folder, config = experiment
    found = PageData(Results(folder), config)
    costs = measure_costs(found)
    num = len(found.proxies) // 3
    assert costs.proxy_flops == pytest.approx(6 * 614_400 * num * sum(Planted().sizes.values()))
    assert costs.target_flops == pytest.approx(6 * SIZES[TARGET] * TARGET_TOKENS)
    assert costs.proxy_hours == pytest.approx(len(found.proxies) * 12.5 / 3600)
    # A run of the largest proxies takes 12.5 s.
    runs = costs.target_flops / (6 * 614_400 * SIZES["99K"])
    assert costs.target_hours == pytest.approx(runs * 12.5 / 3600)
    rows = {row[0]: row[1:] for row in cost_share_table(found).rows}
    assert rows["price"][0] == f"{3 * costs.proxy_hours:.2f}"
    ratio = costs.proxy_flops / costs.target_flops
    assert rows["FLOPs, by 6 N D"][2] == f"{ratio:.3g} times the cost"


def test_the_savings_are_those_of_the_planted_law(experiment):
    folder, _ = experiment
    optimum = read_json(folder / "optimum.json")
    uniform = optimum["baselines"]["uniform"]
    # The part of the loss that depends on tokens has the weights' mean scale, 1.075 here.
    scale = 1 + 0.3 / 4 * (0.15 * 0 + 0.7 * 1 + 0.15 * 2)
    at = scale * 0.8 * (TARGET_TOKENS / 1e6) ** -0.5
    expected = 1 - (1 + uniform["gain"]["value"] / at) ** (-1 / 0.5)
    assert uniform["saved_tokens"]["value"] == pytest.approx(expected, abs=0.01)
    table = saving_table(optimum | {"support": {"recommends": True}})
    assert [row[0] for row in table.rows] == ["best observed: uniform", "natural", "uniform"]
    percent = round(100 * uniform["saved_tokens"]["value"])
    assert table.rows[2][1] == f"{percent}\xa0%"
    assert saving_table(optimum | {"support": {"recommends": False}}) is None
