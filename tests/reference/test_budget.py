"""The best N and D for the FLOPs of the 1B runs, from the RedPajama logs."""

from dataclasses import replace

import numpy as np
import pytest
from published_logs import read_logs, weights_of

from mixlaws.decision.budget import Question, answer_budget
from mixlaws.decision.counting import COUNTED, RULE
from mixlaws.laws.overall import Columns
from mixlaws.losses.arrays import make_observations
from mixlaws.paper.points import target_at


@pytest.fixture(scope="module")
def ask(published):
    study = read_logs(published, "redpajama")
    observations = make_observations(study)
    columns = Columns(observations.validation_domains, weights_of(study))
    target = target_at(study, "1B", 100_000)
    question = Question(0.0, None, RULE, level=0.9, replicates=200, seed=0, early_cut=0.3)

    def answer(mixture, count):
        params = target.compute_params if count == COUNTED else target.num_params
        asked = replace(question, flops=6 * params * target.tokens, mixture=mixture, count=count)
        return answer_budget(observations, columns, target, asked, [])[0]

    return answer


# (N in millions, lower, upper), (tokens per parameter, lower, upper), measured; and whether the
# rule of 20 tokens per parameter lies inside.
@pytest.mark.parametrize(
    ("mixture", "count", "params", "ratio", "rule_is_inside"),
    [
        ("mix-018", RULE, (491, 271, 977), (350, 89, 1180), False),
        ("default", RULE, (905, 356, 1975), (103, 22, 670), False),
        ("mix-018", COUNTED, (612, 427, 1377), (216, 48, 421), False),
        ("default", COUNTED, (1033, 562, 2477), (82, 16, 253), True),
    ],
)
def test_the_optimum_for_the_flops_of_the_1b_runs(
    ask, mixture, count, params, ratio, rule_is_inside
):
    found = ask(mixture, count)
    best = found["optimum"]
    ends = ("value", "lower", "upper")
    assert [best["num_params"][end] / 1e6 for end in ends] == pytest.approx(params, rel=0.03)
    assert [best["tokens_per_parameter"][end] for end in ends] == pytest.approx(ratio, rel=0.04)
    inside = best["tokens_per_parameter"]["lower"] <= 20 <= best["tokens_per_parameter"]["upper"]
    assert inside == rule_is_inside


def test_the_law_predicts_the_1b_runs_it_was_fitted_to(ask):
    """The default at 1B and 100k steps: 2.7133 observed (paper.md)."""
    record = ask("default", RULE)
    parameters = {name: each["value"] for name, each in record["parameters"].items()}
    size = parameters["A"] * (805736448 / record["reference_params"]) ** -parameters["alpha"]
    tokens = parameters["B"] * (104857600000 / record["reference_tokens"]) ** -parameters["beta"]
    assert parameters["E"] + size + tokens == pytest.approx(2.7133, abs=0.03)
    assert np.isfinite(list(parameters.values())).all()
