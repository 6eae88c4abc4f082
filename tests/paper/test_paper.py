"""The reproduction's procedures on planted laws, and its verdicts."""

import numpy as np
import pandas as pd
import pytest

from mixlaws.errors import ConfigError, DataError, FitError
from mixlaws.laws.mixing.boosted import fit_boosted_law
from mixlaws.laws.mixing.form import MixingPriors
from mixlaws.laws.power import PowerPriors, fit_power_laws
from mixlaws.losses.swarm import Swarm
from mixlaws.paper.forms import _random_errors
from mixlaws.paper.matching import Curve, steps_at
from mixlaws.paper.points import Panels, target_at
from mixlaws.paper.ranks import rank_stability
from mixlaws.paper.two_domains import fit_by_grid, fit_jointly
from mixlaws.paper.verdicts import count_verdicts, judge

SHARES = np.array([0.25, 0.375, 0.5, 0.625, 0.75])


def swarm():
    keys = ["size", "mixture", "seed", "step", "tokens", "validation_domain", "loss"]
    losses = [
        ["70M", "mix-000", 0, step, 10 * step, domain, 3.0 + place + 1 / step]
        for step in (10, 20)
        for place, domain in enumerate(("web", "code"))
    ]
    mixtures = {"id": ["mix-000"], "kind": "sample", "phase": 0, "until_tokens": None}
    return Swarm(
        losses=pd.DataFrame(losses, columns=keys),
        runs=pd.DataFrame({"size": ["70M"], "mixture": "mix-000", "seed": 0, "num_params": 100}),
        mixtures=pd.DataFrame(mixtures | {"r_a": [0.5], "r_b": [0.5]}),
        weights={"web": 0.75, "code": 0.25},
    )


@pytest.mark.parametrize(("c", "t", "log_k"), [(1.1, -1.6, -0.7), (3.4, -2.5, -0.6)])
def test_both_procedures_recover_a_planted_two_domain_law(c, t, log_k):
    losses = c + np.exp(t * SHARES + log_k)
    grid = fit_by_grid(SHARES, losses, num_constants=4000, huber=0.02)
    assert grid.c == pytest.approx(c, abs=2e-3)
    assert grid.t == pytest.approx(t, rel=0.02)
    joint = fit_jointly(SHARES, losses)
    assert joint.c == pytest.approx(c, abs=2e-3)
    assert joint.t == pytest.approx(t, rel=0.02)
    assert joint.log_k == pytest.approx(log_k, rel=0.02)
    assert grid.share_at(float(grid.predict(0.4))) == pytest.approx(0.4)


def test_a_two_domain_law_needs_three_points():
    with pytest.raises(FitError, match="2 points do not determine"):
        fit_by_grid(SHARES[:2], SHARES[:2], num_constants=10, huber=0.02)


def test_steps_to_match_invert_a_planted_power_law():
    steps = np.array([10_000, 15_000, 20_000, 40_000, 100_000])
    losses = 2.5 + 150.0 * steps**-0.6
    goal = 2.5 + 150.0 * 150_000**-0.6
    found = steps_at(Curve(steps, losses), losses[None], np.array([goal]))
    assert found[0] == pytest.approx(150_000, rel=2e-3)
    assert np.isinf(steps_at(Curve(steps, losses), losses[None], np.array([2.0]))[0])


def test_a_boosted_law_passes_through_what_one_law_could_not():
    generator = np.random.default_rng(0)
    shares = generator.dirichlet(np.ones(3), size=20)
    losses = 2 + np.exp(-6 * shares[:, 0]) + np.exp(-3 * shares[:, 1]) + np.exp(-shares[:, 2])
    one = MixingPriors(num_terms=1)
    boosted = fit_boosted_law(shares, losses, num_laws=10, priors=MixingPriors(num_terms=5))
    single = fit_boosted_law(shares, losses, num_laws=1, priors=one)
    errors = [np.abs(law.predict(shares) - losses).mean() for law in (boosted, single)]
    assert errors[0] < 0.2 * errors[1]
    assert len(single.laws) == 1
    again = fit_boosted_law(shares, losses, num_laws=10, priors=MixingPriors(num_terms=5))
    assert np.array_equal(again.predict(shares), boosted.predict(shares))


def test_exponents_stay_within_their_bounds():
    sizes = np.array([1e7, 1e8, 2e8, 3e8])
    losses = (1.0 + 8.0 * sizes**-0.1)[None]
    priors = PowerPriors(exponent_sd=10.0, bounds=(0.3, 0.8))
    law, fit = fit_power_laws(sizes, losses, priors=priors)
    assert law.alpha[0] == pytest.approx(0.3)
    assert fit.at_bound == (("alpha",),)


def test_a_random_guess_errs_by_a_third_of_the_range_at_the_ends():
    """Uniform between 0 and 3: mean distance 1.5 from an end, 0.75 from the middle."""
    errors = _random_errors(np.array([[0.0], [1.5], [3.0]]))
    assert errors.ravel() == pytest.approx([1.5, 0.75, 1.5])


def test_panels_weigh_their_domains():
    panels = Panels.of(swarm(), {"text": ["web"], "programs": ["code"]})
    assert panels.names == ("text", "programs", "overall")
    assert panels.of_losses(np.array([[2.0, 4.0]])).tolist() == [[2.0, 4.0, 2.5]]


@pytest.mark.parametrize("groups", [{"all": ["web"]}, {"x": ["web", "code"], "y": ["web"]}])
def test_groups_must_hold_each_domain_once(groups):
    with pytest.raises(ConfigError, match="does not have each validation domain once"):
        Panels.of(swarm(), groups)


def test_a_target_is_a_checkpoint_that_was_observed():
    found = target_at(swarm(), "70M", 20)
    assert (found.num_params, found.tokens, found.effective_tokens) == (100, 200, 200)
    with pytest.raises(DataError, match=r"no run of size 70M has a checkpoint at step 30"):
        target_at(swarm(), "70M", 30)


def test_rank_stability_names_the_best_mixture_and_what_it_costs():
    rows = [
        (size, 10, mixture, loss)
        for size, losses in {"S": (1.0, 2.0, 3.0), "L": (1.1, 1.0, 2.0)}.items()
        for mixture, loss in zip("abc", losses, strict=True)
    ]
    ranks = pd.DataFrame(rows, columns=["size", "step", "mixture", "loss"]).assign(common=True)
    table = rank_stability(ranks, {"sizes": ["S", "L"], "steps": [10]})
    assert table["best"].tolist() == ["a", "b"]
    assert table["regret"].tolist() == pytest.approx([0.1, 0.0])
    assert table["spearman"].tolist() == pytest.approx([0.5, 1.0])


CLAIMS = [
    {"id": "x", "item": "figure 1", "quantity": "x", "source": "paper", "value": 2.0}
    | {"tolerance": 0.01},
    {"id": "y", "item": "figure 1", "quantity": "y", "source": "code", "value": -2.0}
    | {"tolerance": 0.1, "relative": True},
    {"id": "z", "item": "table 1", "quantity": "z", "source": "logs", "value": "M4"},
    {"id": "w", "item": "table 1", "quantity": "w", "source": "paper", "reason": "no data"},
]


def test_verdicts():
    table = judge(CLAIMS, {"x": 2.009, "y": -2.21, "z": "M4"})
    verdicts = ["agrees", "disagrees", "agrees", "not reproducible"]
    assert table["verdict"].tolist() == verdicts
    assert table["tolerance"].tolist() == ["0.01", "10 %", "equal", ""]
    assert table["note"].iloc[-1] == "no data"
    assert list(count_verdicts(table).values()) == [2, 1, 1]
    assert judge(CLAIMS[:1], {"x": float("nan")})["verdict"].tolist() == ["disagrees"]


def test_every_claim_must_be_measured_and_every_measure_claimed():
    with pytest.raises(ConfigError, match=r"\['x'\] are claimed and not measured, \['v'\]"):
        judge(CLAIMS, {"v": 1.0, "y": 2.0, "z": "M1"})
