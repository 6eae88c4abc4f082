import cvxpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import PlantedLaw, planted_law

from mixlaws.decision.limits import GroupLimit, Limits, make_limits
from mixlaws.decision.objective import Objective
from mixlaws.decision.optimum import CERTIFIED_GAP, minimise_objective
from mixlaws.errors import ConfigError
from mixlaws.laws.mixing.additive import Additive
from mixlaws.laws.mixing.exponential import Exponential

TARGET_TOKENS = 2e9


def names(num_domains: int) -> list[str]:
    return [f"domain-{index}" for index in range(num_domains)]


def additive_law(seed: int, num_domains: int, num_validation: int) -> Additive:
    generator = np.random.default_rng(seed)
    shape = (num_validation, num_domains)
    return Additive(
        E=generator.uniform(1, 2, num_validation),
        C=np.exp(generator.normal(-1, 1.5, shape)),
        g=generator.uniform(0.2, 1, shape),
    )


def random_limits(seed: int, num_domains: int, *, grouped: bool = False) -> Limits:
    """Limits that hold for some mixture, most of them tight."""
    generator = np.random.default_rng(seed)
    inside = generator.dirichlet(np.ones(num_domains))
    lower = inside * generator.uniform(0, 1, num_domains)
    upper = inside + (1 - inside) * generator.uniform(0, 0.3, num_domains)
    members = names(num_domains)[: num_domains - 1]
    total = inside[:-1].sum()
    group = GroupLimit("all but one", tuple(members), 0.9 * total, total + 0.1 * (1 - total))
    return make_limits(
        names(num_domains),
        TARGET_TOKENS,
        shares=dict(zip(names(num_domains), zip(lower, upper, strict=True), strict=True)),
        groups=[group] if grouped else [],
    )


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), num_domains=st.integers(2, 8))
def test_planted_optimum_is_found_within_limits(seed: int, num_domains: int) -> None:
    law, limits = planted_law(seed, num_domains), random_limits(seed, num_domains)
    weights = np.random.default_rng(seed).dirichlet(np.ones(4))
    truth = law.optimum(weights, limits.lower, limits.upper)
    found = minimise_objective(law, Objective(weights), limits)
    assert found.value == pytest.approx(weights @ law.predict(truth[None])[0], abs=1e-6)
    assert found.proportions == pytest.approx(truth, abs=1e-4)
    assert found.certified
    assert found.num_starts == 1


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    num_domains=st.integers(2, 8),
    share=st.sampled_from([0.0, 0.5, 1.0]),
    pull=st.sampled_from([0.0, 0.1]),
)
def test_optimum_never_leaves_the_limits(
    seed: int, num_domains: int, share: float, pull: float
) -> None:
    law, limits = additive_law(seed, num_domains, 5), random_limits(seed, num_domains, grouped=True)
    prior = np.full(num_domains, 1 / num_domains)
    objective = Objective(np.full(5, 0.2), share, prior, pull)
    found = minimise_objective(law, objective, limits)
    assert limits.excess(found.proportions[None])[0] <= 1e-15
    assert found.proportions.sum() == pytest.approx(1, abs=1e-14)
    assert 0 <= found.gap <= CERTIFIED_GAP


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.0, 0.5, 1.0]))
def test_order_of_domains_does_not_matter(seed: int, share: float) -> None:
    law, order = planted_law(seed, 5), np.random.default_rng(seed).permutation(5)
    weights, limits = np.full(4, 0.25), random_limits(seed, 5)
    shares = dict(zip(limits.domains, zip(limits.lower, limits.upper, strict=True), strict=True))
    reordered = make_limits([limits.domains[i] for i in order], TARGET_TOKENS, shares=shares)
    first = minimise_objective(law, Objective(weights, share), limits)
    second = minimise_objective(law.reorder(order), Objective(weights, share), reordered)
    assert second.value == pytest.approx(first.value, abs=2e-6)
    assert second.proportions == pytest.approx(first.proportions[order], abs=2e-3)


def test_gap_bounds_every_allowed_mixture() -> None:
    law = additive_law(0, 4, 5)
    limits = make_limits(names(4), 1e9, shares={"domain-0": (0.0, 0.2), "domain-1": (0.1, 1.0)})
    objective = Objective(np.full(5, 0.2), 0.3)
    found = minimise_objective(law, objective, limits)
    cloud = np.random.default_rng(0).dirichlet(np.ones(4), 200_000)
    cloud = cloud[limits.excess(cloud) <= 0]
    assert len(cloud) > 100
    values = objective.value(law.predict(cloud), cloud)
    assert found.value - found.gap <= values.min() + 1e-12


def test_maximum_levels_the_worst_domains() -> None:
    law = PlantedLaw(np.zeros(3), np.full((3, 3), 2.0), np.eye(3))
    found = minimise_objective(law, Objective(np.full(3, 1 / 3), 1.0), make_limits(names(3), 1e9))
    assert found.proportions == pytest.approx(np.full(3, 1 / 3), abs=1e-5)
    assert found.value == pytest.approx(2 / 3, abs=1e-6)
    assert found.losses == pytest.approx(np.full(3, 2 / 3), abs=1e-5)


def test_a_domain_without_weight_is_not_in_the_maximum() -> None:
    law = PlantedLaw(np.array([0.0, 0.0, 9.0]), np.full((3, 3), 2.0), np.eye(3))
    weights = np.array([0.5, 0.5, 0.0])
    found = minimise_objective(law, Objective(weights, 1.0), make_limits(names(3), 1e9))
    assert found.proportions == pytest.approx([0.5, 0.5, 0.0], abs=1e-5)


def test_prior_wins_as_its_strength_grows() -> None:
    law, prior = planted_law(1), np.array([0.2, 0.3, 0.5])
    weights, limits = np.full(4, 0.25), make_limits(names(3), 1e9)
    distances = [
        np.abs(
            minimise_objective(law, Objective(weights, 0, prior, s), limits).proportions - prior
        ).sum()
        for s in (0.0, 1.0, 10.0, 1e4)
    ]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 1e-3


def test_pinned_and_excluded_domains_stay() -> None:
    law = additive_law(3, 4, 5)
    shares = {"domain-0": (0.25, 0.25), "domain-1": (0.0, 0.0)}
    limits = make_limits(names(4), TARGET_TOKENS, shares=shares)
    found = minimise_objective(law, Objective(np.full(5, 0.2)), limits)
    assert found.proportions[:2].tolist() == [0.25, 0.0]
    assert found.certified
    assert [(a.name, a.side) for a in found.active] == [("domain-0", "pinned")]


def test_token_availability_limits_and_prices_a_domain() -> None:
    """The price is the derivative: more tokens change the optimal loss by price times amount."""
    law = planted_law(5, 3)
    weights, target = np.full(4, 0.25), 1e11
    free = minimise_objective(law, Objective(weights), make_limits(names(3), target))
    index = int(free.proportions.argmax())
    name, tokens = names(3)[index], free.proportions[index] * target / 8

    def solve(available: float):
        limits = make_limits(names(3), target, available_tokens={name: available}, max_epochs=4.0)
        return minimise_objective(law, Objective(weights), limits)

    base, step = solve(tokens), 0.01e9
    (active,) = [a for a in base.active if a.name == name]
    slope = (solve(tokens + step).value - solve(tokens - step).value) / (2 * step) * 1e9
    assert base.proportions[index] == pytest.approx(4 * tokens / target, abs=1e-12)
    assert active.side == "upper"
    assert active.shadow_price_per_billion_tokens == pytest.approx(slope, rel=1e-3)
    assert active.shadow_price_per_billion_tokens < 0


def test_price_of_a_lower_limit_and_of_a_group() -> None:
    law, weights = planted_law(7, 4), np.full(4, 0.25)

    def solve(low: float, high: float):
        group = GroupLimit("pair", ("domain-0", "domain-1"), 0.0, high)
        shares = {"domain-2": (low, 1.0)}
        limits = make_limits(names(4), 1e9, shares=shares, groups=[group])
        return minimise_objective(law, Objective(weights), limits)

    base, step = solve(0.6, 0.2), 1e-4
    prices = {a.name: a for a in base.active}
    assert prices["domain-2"].side == "lower"
    assert prices["pair"].side == "upper"
    by_low = (solve(0.6 + step, 0.2).value - solve(0.6 - step, 0.2).value) / (2 * step)
    by_high = (solve(0.6, 0.2 + step).value - solve(0.6, 0.2 - step).value) / (2 * step)
    assert prices["domain-2"].shadow_price == pytest.approx(by_low, rel=1e-2)
    assert prices["pair"].shadow_price == pytest.approx(by_high, rel=1e-2)
    assert prices["pair"].shadow_price_per_billion_tokens is None


def test_another_law_is_solved_from_many_starts() -> None:
    """Two valleys at two corners: one search from the centre would find either."""
    wells = np.array([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05]])

    class TwoValleys:
        name, convex = "two valleys", False

        def _depths(self, r: np.ndarray) -> np.ndarray:
            distance = ((r[:, None, :] - wells) ** 2).sum(axis=2)
            return np.array([1.0, 1.5]) * np.exp(-distance / 0.1)

        def predict(self, r: np.ndarray) -> np.ndarray:
            return 3 - self._depths(r).sum(axis=1, keepdims=True)

        def gradient(self, r: np.ndarray) -> np.ndarray:
            slope = self._depths(r)[:, :, None] * 2 * (r[:, None, :] - wells) / 0.1
            return slope.sum(axis=1, keepdims=True)

    found = minimise_objective(TwoValleys(), Objective(np.ones(1)), make_limits(names(3), 1e9))
    assert found.proportions == pytest.approx(wells[1], abs=1e-3)
    assert found.num_starts == 4
    assert not found.convex
    assert not found.certified
    warm = minimise_objective(
        TwoValleys(), Objective(np.ones(1)), make_limits(names(3), 1e9), start=found.proportions
    )
    assert warm.num_starts == 2
    assert warm.value == pytest.approx(found.value, abs=1e-9)


def test_seventeen_domains_are_certified_quickly() -> None:
    law = additive_law(0, 17, 20)
    for share in (0.0, 1.0):
        found = minimise_objective(
            law, Objective(np.full(20, 0.05), share), make_limits(names(17), 1e9)
        )
        assert found.certified


@pytest.mark.parametrize(
    ("shares", "groups", "tokens", "expected", "absent"),
    [
        (
            {"a": (0.7, 1.0), "b": (0.6, 1.0), "c": (0.0, 0.9)},
            [],
            {},
            ["a >= 0.7", "b >= 0.6"],
            ["c <="],
        ),
        (
            {"a": (0.0, 0.3), "b": (0.0, 0.3)},
            [],
            {"c": 0.3e9},
            ["a <= 0.3", "b <= 0.3", "c <= 0.3 (by its available tokens)"],
            [">="],
        ),
        ({"a": (0.5, 1.0)}, [], {"a": 0.2e9}, ["a >= 0.5", "a <= 0.2 (by its available"], ["b >"]),
        (
            {"a": (0.2, 1.0)},
            [GroupLimit("prose", ("a", "b"), 0.0, 0.1)],
            {},
            ["a >= 0.2", "prose <= 0.1 (group of a, b)"],
            ["c <="],
        ),
    ],
)
def test_conflicting_limits_are_named(shares, groups, tokens, expected, absent) -> None:
    with pytest.raises(ConfigError, match="these cannot hold together") as caught:
        make_limits(["a", "b", "c"], 1e9, shares=shares, groups=groups, available_tokens=tokens)
    conflict = str(caught.value).split("sum to 1: ")[1].split(". Relax")[0]
    assert all(text in conflict for text in expected)
    assert not any(text in conflict for text in absent)


def test_limits_refuse_unknown_names_and_impossible_shares() -> None:
    with pytest.raises(ConfigError, match=r"limits name \['d'\], which are no training domains"):
        make_limits(["a", "b"], 1e9, shares={"d": (0.0, 1.0)})
    with pytest.raises(ConfigError, match=r"limits {'a': \[0.5, 0.2\]} do not satisfy"):
        make_limits(["a", "b"], 1e9, shares={"a": (0.5, 0.2)})


def test_objective_is_checked() -> None:
    law, limits = planted_law(0), make_limits(names(3), 1e9)
    with pytest.raises(ConfigError, match="make no objective"):
        minimise_objective(law, Objective(np.array([0.5, -0.1, 0.6, 0.0])), limits)
    with pytest.raises(ConfigError, match=r"no share of \['domain-2'\]"):
        minimise_objective(
            law, Objective(np.full(4, 0.25), prior=np.array([0.5, 0.5, 0.0]), prior_strength=1),
            limits,
        )  # fmt: skip
    with pytest.raises(ConfigError, match=r"maximum_share 1\.5 or"):
        minimise_objective(law, Objective(np.full(4, 0.25), maximum_share=1.5), limits)


def as_cvxpy(law, shares: cvxpy.Variable) -> list[cvxpy.Expression]:
    """Return the losses of an exponential law, or of an additive one whose g is 1/2."""
    if isinstance(law, Additive):
        return [
            E + cvxpy.inv_pos(C @ cvxpy.sqrt(shares)) for E, C in zip(law.E, law.C, strict=True)
        ]
    rows = zip(law.c, law.k[:, 0], law.t[:, 0], strict=True)
    return [c + k * cvxpy.exp(t @ shares) for c, k, t in rows]


def random_law(kind: str, seed: int, num_domains: int):
    generator = np.random.default_rng(seed)
    wide, E = (4, num_domains), generator.uniform(1, 2, 4)
    if kind == "additive":
        return Additive(E, np.exp(generator.normal(-0.5, 1, wide)), np.full(wide, 0.5))
    theta = np.column_stack([E, generator.normal(-0.5, 1.5, wide)])
    return Exponential.from_theta(theta, num_domains)


@pytest.mark.parametrize("share", [0.0, 0.4])
@pytest.mark.parametrize("kind", ["additive", "exponential"])
@pytest.mark.parametrize("seed", range(4))
def test_the_optimum_is_that_of_cvxpy(kind: str, seed: int, share: float) -> None:
    num_domains = 4 + seed
    law, limits = (
        random_law(kind, seed, num_domains),
        random_limits(seed, num_domains, grouped=True),
    )
    prior = np.full(num_domains, 1 / num_domains)
    objective = Objective(np.array([0.4, 0.3, 0.2, 0.1]), share, prior, 0.01 * seed)
    shares = cvxpy.Variable(num_domains)
    losses = cvxpy.hstack(as_cvxpy(law, shares))
    goal = (1 - share) * objective.weights @ losses + share * cvxpy.max(losses)
    goal += objective.prior_strength * cvxpy.sum(cvxpy.rel_entr(shares, prior))
    within = [cvxpy.sum(shares) == 1, shares >= limits.lower, shares <= limits.upper]
    within += [limits.membership @ shares >= limits.group_lower]
    within += [limits.membership @ shares <= limits.group_upper]
    least = cvxpy.Problem(cvxpy.Minimize(goal), within).solve(solver=cvxpy.CLARABEL)
    found = minimise_objective(law, objective, limits)
    assert found.value == pytest.approx(least, abs=2e-6)
    assert found.proportions == pytest.approx(shares.value, abs=5e-3)
    assert found.certified
