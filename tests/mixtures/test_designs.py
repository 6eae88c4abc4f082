import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixlaws.errors import ConfigError
from mixlaws.mixtures.designs import Design, choose_mixtures, default_count, diminishing_candidates
from mixlaws.mixtures.lattice import equal_shares, round_to_lattice

DOMAINS = ["web", "code", "books"]
FREE = {domain: [0.0, 1.0] for domain in DOMAINS}
# Available tokens over the target's (paper's find_opt.py), columns in the logs' order.
PAPER_LIMITS = {
    "CommonCrawl": 1.0,
    "C4": 1.0,
    "GitHub": 0.5857,
    "ArXiv": 0.2588,
    "Books": 0.2254,
    "StackExchange": 0.1779,
    "Wikipedia": 0.1727,
}


def choose(design="maximin", count=8, num_held_out=2, limits=FREE, **other):
    arguments = {"lattice": 64, "seed": 0} | other
    return choose_mixtures(
        Design(design, count=count, num_held_out=num_held_out, limits=limits, **arguments)
    )


@pytest.mark.parametrize("design", ["maximin", "dirichlet", "double_diminishing"])
def test_every_mixture_but_uniform_is_on_the_lattice_and_sums_exactly_to_one(design):
    *mixtures, uniform = choose(design)
    assert uniform.proportions == dict.fromkeys(DOMAINS, 1 / 3)
    for mixture in mixtures:
        shares = np.array(list(mixture.proportions.values()))
        assert shares.sum() == 1.0
        assert (shares * 64 == np.round(shares * 64)).all()


@pytest.mark.parametrize("design", ["maximin", "dirichlet"])
def test_a_larger_count_adds_mixtures_and_changes_none(design):
    few = {m.id: m for m in choose(design, count=5)}
    many = {m.id: m for m in choose(design, count=12)}
    assert set(many) - set(few) == {f"mix-{i:03d}" for i in range(6, 13)}
    assert all(many[id] == mixture for id, mixture in few.items())


def test_held_out_mixtures_are_interior_and_never_sampled():
    mixtures = choose(count=40, num_held_out=3)
    held_out = [m for m in mixtures if m.kind == "held-out"]
    sampled = [m.proportions for m in mixtures if m.kind == "sample"]
    assert [m.id for m in held_out] == ["held-001", "held-002", "held-003"]
    assert all(min(m.proportions.values()) > 0 for m in held_out)
    assert not any(m.proportions in sampled for m in held_out)


def test_limits_hold_for_every_mixture():
    limits = {"web": [0.1, 0.6], "code": [0.05, 0.5], "books": [0.0, 0.25]}
    for mixture in choose(count=20, limits=limits):
        for domain, (low, high) in limits.items():
            assert low <= mixture.proportions[domain] <= high


def test_uniform_is_exact_with_more_domains_than_lattice_points():
    limits = {f"d{i:02d}": [0.0, 1.0] for i in range(100)}
    uniform = choose("dirichlet", count=4, limits=limits, num_held_out=0)[-1]
    assert uniform.id == "uniform"
    assert set(uniform.proportions.values()) == {1 / 100}


def test_uniform_is_the_nearest_mixture_within_limits():
    limits = {"web": [0.0, 0.1], "code": [0.5, 1.0], "books": [0.0, 1.0], "news": [0.0, 1.0]}
    shares = equal_shares(limits)
    assert shares == pytest.approx({"web": 0.1, "code": 0.5, "books": 0.2, "news": 0.2})
    assert choose(limits=limits)[-1].proportions == shares


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=8).filter(
        lambda pairs: sum(map(min, pairs)) < 1 < sum(map(max, pairs))
    )
)
def test_equal_shares_sum_to_one_within_any_limits(pairs):
    limits = {str(i): sorted(pair) for i, pair in enumerate(pairs)}
    shares = equal_shares(limits)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-9)
    assert all(low <= shares[name] <= high for name, (low, high) in limits.items())


def test_maximin_starts_at_the_corners_and_spreads():
    mixtures = [m for m in choose(count=3) if m.kind == "sample"]
    corners = sorted(max(m.proportions.values()) for m in mixtures)
    assert corners == [1.0, 1.0, 1.0]


def test_maximin_covers_better_than_random_draws():
    def smallest_gap(design):
        rows = [list(m.proportions.values()) for m in choose(design, count=12, num_held_out=0)]
        points = np.sqrt(np.array(rows))
        distance = np.linalg.norm(points[:, None] - points[None], axis=2)
        return distance[np.triu_indices(len(points), 1)].min()

    assert smallest_gap("maximin") > 2 * smallest_gap("dirichlet")


def test_seventeen_domains_are_sampled_without_enumeration():
    limits = {f"d{i}": [0.0, 1.0] for i in range(17)}
    mixtures = choose(count=default_count(17), limits=limits)
    assert sum(m.kind == "sample" for m in mixtures) == 45


def test_double_diminishing_gives_the_papers_854_candidates():
    candidates = diminishing_candidates(PAPER_LIMITS)
    zero = (candidates == 0).any(axis=1)
    assert (len(candidates), zero.sum(), (~zero).sum()) == (854, 721, 133)
    assert np.allclose(candidates.sum(axis=1), 1)
    optimised = [0.125, 0.25, 0.140625, 0.25, 0.09375, 0.125, 0.015625]
    assert (np.abs(candidates - optimised).max(axis=1) < 1e-12).sum() == 1


def test_double_diminishing_draws_three_without_a_zero_for_each_one_with():
    limits = {domain: [0.0, high] for domain, high in PAPER_LIMITS.items()}
    drawn = choose("double_diminishing", count=40, limits=limits, lattice=256, num_held_out=0)
    zeros = sum(min(m.proportions.values()) == 0 for m in drawn if m.kind == "sample")
    assert zeros == 10


def test_default_count_is_two_and_a_half_per_domain_plus_four_with_the_baselines():
    assert [default_count(k) + 2 for k in (3, 7, 17)] == [12, 22, 47]


@given(st.lists(st.floats(0, 1), min_size=2, max_size=9).filter(lambda x: sum(x) > 0.01))
def test_rounding_moves_no_share_by_a_lattice_step(values):
    shares = np.array(values) / sum(values)
    limits = {str(i): [0.0, 1.0] for i in range(len(values))}
    counts = round_to_lattice(shares, 64, limits)
    assert counts.sum() == 64
    assert np.abs(counts / 64 - shares).max() <= 1 / 64 + 1e-9


def test_impossible_limits_are_named():
    with pytest.raises(ConfigError, match=r"lower limits sum to 80/64.*Widen the limits"):
        choose(limits={"web": [0.75, 1], "code": [0.5, 1], "books": [0, 1]})


def test_too_many_mixtures_say_how_many_there_are():
    narrow = {"web": [0.5, 0.515625], "code": [0.25, 0.28125], "books": [0.2, 0.26]}
    with pytest.raises(
        ConfigError, match=r"mixtures\.count asks for 50 mixtures, but only \d+ are"
    ):
        choose(count=50, limits=narrow, num_held_out=0)
