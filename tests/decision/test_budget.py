"""How large and how long: planted laws, sizes that no law supports, and limited text."""

from dataclasses import replace

import numpy as np
import pytest

from mixlaws.decision.budget import Question, answer_budget
from mixlaws.decision.counting import COUNTED, RULE, Sizes
from mixlaws.decision.joint_budget import Search, choose_together
from mixlaws.decision.limits import make_limits
from mixlaws.decision.objective import Objective
from mixlaws.errors import ConfigError
from mixlaws.laws.chinchilla import ChinchillaLaw
from mixlaws.laws.joint.law import JointLaw
from mixlaws.laws.law import Ensemble
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.overall import Columns

TRUTH = {"E": 1.6, "A": 0.8, "alpha": 0.3, "B": 0.5, "beta": 0.45}
SIZES = (2e7, 8e7, 2e8, 4e8)
TARGET = Target(1e9, 1e9, 1e11, 1e11)
QUESTION = Question(5e20, "mix-0", RULE, level=0.9, replicates=100, seed=0, early_cut=0.0)
COLUMNS = Columns(("web",), np.array([1.0]))


def truth(**changes):
    parts = (np.array([value]) for value in (TRUTH | changes).values())
    return ChinchillaLaw(*parts, reference_params=1e8, reference_tokens=2e10)


def planted(seed=0, noise=0.004, sizes=SIZES, num_mixtures=6, annealing=0.0, head=0.0):
    """Runs of `num_mixtures` mixtures, whose noise has a part of the run and one of the step."""
    generator = np.random.default_rng(seed)
    rows = []
    for mixture in range(num_mixtures):
        law = truth(E=1.6 + 0.1 * mixture)
        for size in sizes:
            shared = noise * generator.normal()
            for tokens in np.geomspace(1e10, 3e10, 8):
                own = 0.3 * noise * generator.normal()
                loss = law.predict(size, tokens)[0] - 0.06 * annealing + shared + own
                rows.append((f"mix-{mixture}", f"{size:.0f}", size, tokens, loss))
    names, labels, params, tokens, losses = map(np.array, zip(*rows, strict=True))
    count = len(rows)
    share = np.array([float(name[-1]) / num_mixtures for name in names])
    return Observations(
        domains=("web", "code"),
        validation_domains=("web",),
        size=labels,
        mixture=names,
        seed=np.zeros(count, dtype=int),
        step=(tokens / 1e6).astype(int),
        proportions=np.column_stack([share, 1 - share]),
        num_params=params,
        compute_params=params + head * params**0.5,
        tokens=tokens,
        effective_tokens=tokens,
        annealing=np.full(count, annealing),
        losses=losses[:, None],
    )


def ask(observations, target=TARGET, **changes):
    return answer_budget(observations, COLUMNS, target, replace(QUESTION, **changes), [])


def holds(estimate, value):
    return estimate["lower"] <= value <= estimate["upper"]


def test_the_planted_optimum_is_within_its_interval():
    """And the parameters, about as often as the level says: 50 intervals of 10 data sets."""
    size, tokens = (each[0] for each in truth().optimum(5e20))
    inside, parameters = [], []
    for seed in range(10):
        record, _ = ask(planted(seed))
        found = record["optimum"]
        inside.append(holds(found["num_params"], size) and holds(found["tokens"], tokens))
        parameters += [
            holds(record["parameters"][name], TRUTH[name]) for name in ("alpha", "beta", "E")
        ]
        width = found["num_params"]["upper"] / found["num_params"]["lower"]
        assert 1.1 < width < 4
    assert np.mean(inside) >= 0.9
    assert np.mean(parameters) >= 0.75


def test_without_noise_the_optimum_is_exact():
    record, curves = ask(planted(noise=1e-7))
    size, tokens = (each[0] for each in truth().optimum(5e20))
    assert record["optimum"]["num_params"]["value"] == pytest.approx(size, rel=0.02)
    assert record["optimum"]["tokens"]["value"] == pytest.approx(tokens, rel=0.02)
    ratio = record["optimum"]["tokens_per_parameter"]["value"]
    assert ratio == pytest.approx(tokens / size, rel=0.04)
    rule = record["rule_of_thumb"]
    assert rule["num_params"] == pytest.approx(np.sqrt(5e20 / 120))
    excess = truth().predict(rule["num_params"], rule["tokens"]) - truth().predict(size, tokens)
    assert rule["excess"]["value"] == pytest.approx(excess[0], rel=0.1)
    growth = record["growth"]
    assert growth["num_params"]["value"] == pytest.approx(10**0.6, rel=0.02)
    assert growth["tokens"]["value"] == pytest.approx(10**0.4, rel=0.02)
    best = curves[curves["is_optimum"]].set_index("flops")
    assert best.loc[5e20, "num_params"] == pytest.approx(record["optimum"]["num_params"]["value"])
    for flops, part in curves.groupby("flops"):
        assert part["loss"].min() == pytest.approx(best.loc[flops, "loss"])
        assert (6 * part["num_params"] * part["tokens"]).to_numpy() == pytest.approx(flops)


def test_the_next_doubling_compares_tokens_with_size():
    step = ask(planted(noise=1e-7))[0]["next_doubling"]
    assert (step["num_params"], step["tokens"]) == (4e8, 3e10)
    of_size, of_tokens = (each[0] for each in truth().terms(4e8, 3e10))
    gains = of_tokens * (1 - 2**-0.45), of_size * (1 - 2**-0.3)
    assert step["gain_of_tokens"]["value"] == pytest.approx(gains[0], rel=0.03)
    assert step["gain_of_size"]["value"] == pytest.approx(gains[1], rel=0.03)
    assert step["ratio"]["value"] == pytest.approx(gains[0] / gains[1], rel=0.05)


def test_a_schedule_that_ends_elsewhere_moves_the_tokens():
    """Runs at the peak rate, a target that decays: half its tokens count, and it is annealed."""
    target = replace(TARGET, effective_tokens=TARGET.tokens / 2, annealing=1.0)
    record, _ = ask(planted(noise=1e-7), target)
    law = truth()
    decayed = replace(law, reference_tokens=2 * law.reference_tokens, E=law.E - 0.06)
    size, tokens = (each[0] for each in decayed.optimum(5e20))
    assert record["optimum"]["num_params"]["value"] == pytest.approx(size, rel=0.02)
    loss = decayed.predict(size, tokens)[0]
    assert record["optimum"]["loss"]["value"] == pytest.approx(loss, abs=0.003)


def test_flops_counted_with_the_head():
    observations = planted(head=2e4)
    sizes = Sizes.of(observations, TARGET, COUNTED)
    assert sizes.params_of(8e7) == pytest.approx(8e7 + 2e4 * 8e7**0.5, rel=1e-3)
    assert sizes.num_params_of(sizes.params_of(3e8)) == pytest.approx(3e8, rel=1e-6)
    assert sizes.params_of(1e12) == pytest.approx(1e12)
    num_params, tokens = sizes.at_ratio(5e20, 20.0)
    assert 6 * sizes.params_of(num_params) * tokens == pytest.approx(5e20, rel=1e-3)
    assert Sizes.of(observations, TARGET, RULE).params_of(8e7) == pytest.approx(8e7)
    by_rule, counted = (
        ask(observations, count=count)[0]["optimum"]["tokens"]["value"] for count in (RULE, COUNTED)
    )
    assert counted < by_rule


@pytest.mark.parametrize(
    ("flops", "words"),
    [
        (1e30, "more than 1,000 times as many as the largest run (400M)"),
        (1e13, "less than a tenth of the smallest that was measured"),
    ],
)
def test_a_budget_beyond_what_was_measured_gets_no_answer(flops, words):
    record, curves = ask(planted(), flops=flops)
    assert words in record["reason"]
    assert "optimum" not in record
    assert curves.empty
    assert record["parameters"]["alpha"]["value"] == pytest.approx(0.3, abs=0.1)


def test_an_interval_that_excludes_nothing_is_no_answer():
    record, _ = ask(planted(noise=0.5), flops=1e23)
    assert "It excludes nothing. Train more sizes" in record["reason"]


def test_two_sizes_are_too_few():
    record, _ = ask(planted(sizes=SIZES[:2]))
    assert record["reason"] == (
        "L(N, D) cannot be fitted to the mixture mix-0: it has 2 sizes instead of at least 3. "
        "Train more sizes."
    )
    assert "parameters" not in record


def test_an_unknown_mixture_is_refused():
    with pytest.raises(ConfigError, match="no run was trained on the mixture web"):
        ask(planted(), mixture="web")


def test_without_a_name_the_first_usable_baseline_is_asked_for():
    question = replace(QUESTION, mixture=None)
    record, _ = answer_budget(planted(), COLUMNS, TARGET, question, ["natural", "mix-3"])
    assert record["mixture"] == "mix-3"


# A joint law F1 of two domains: L = c + M(r) + P + Q, with slopes and d of 0 but for `v`.
def joint_law():
    blank = JointLaw("F1", ("web", "code"), ("web",), np.zeros((1, 1)), 1e8, 2e10, schedule=False)
    layout = blank.layout
    theta = np.zeros((1, layout.num_params))
    values = {"c": 1.0, "ln_a": np.log(0.3), "ln_b": np.log(0.45), "m": [1.0, 0.2]}
    values |= {"u": np.log(0.8), "v": np.log(0.5), "ln_g": np.log(0.5)}
    for name, value in values.items():
        theta[:, layout.slices[name]] = value
    return replace(blank, theta=theta)


def search(flops=5e20):
    observations = planted()
    sizes = Sizes.of(observations, TARGET, RULE)
    law = Ensemble((joint_law().at(TARGET),))
    objective = Objective(np.array([1.0]))
    return Search(law, TARGET, flops, sizes, sizes, objective), observations


def test_size_tokens_and_mixture_together():
    found, observations = search()
    free = choose_together(
        found,
        lambda tokens: make_limits(("web", "code"), tokens),
        observations,
        replicates=[found.law] * 10,
        level=0.9,
    )
    size, tokens = (each[0] for each in truth().optimum(5e20))
    assert free["num_params"]["value"] == pytest.approx(size, rel=0.1)
    assert free["tokens"]["value"] == pytest.approx(tokens, rel=0.1)
    assert free["num_params"]["lower"] == free["num_params"]["upper"] == free["num_params"]["value"]
    # The amount e^m_j sqrt(r_j) is largest where r_j is in proportion to e^2m_j.
    share = np.exp(2.0) / (np.exp(2.0) + np.exp(0.4))
    assert free["proportions"]["web"] == pytest.approx(share, abs=0.01)
    assert not free["uses_all_text"]
    assert free["at_limit"] == []


def test_limited_text_makes_the_model_larger():
    found, observations = search()
    limited = choose_together(
        found,
        lambda tokens: make_limits(
            ("web", "code"), tokens, available_tokens={"web": 1e10, "code": 1e10}, max_epochs=2.0
        ),
        observations,
        replicates=(),
        level=0.9,
    )
    assert limited["uses_all_text"]
    assert 0.9 * 4e10 < limited["tokens"]["value"] <= 4e10
    assert limited["num_params"]["value"] == pytest.approx(5e20 / 6 / limited["tokens"]["value"])
    assert "lower" not in limited["num_params"]


def test_budgets_without_a_supported_size_get_no_joint_answer():
    for flops, words in ((1e33, "No size within reach"), (6e25, "at the edge")):
        found, observations = search(flops)
        none = choose_together(
            found,
            lambda tokens: make_limits(("web", "code"), tokens),
            observations,
            replicates=(),
            level=0.9,
        )
        assert words in none["reason"]
