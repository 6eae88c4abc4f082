from dataclasses import replace

import numpy as np
import pytest

from mixlaws.errors import FitError
from mixlaws.laws.loglog import LogLogSettings, fit_loglog
from mixlaws.laws.nested import MIN_CHECKPOINTS, PAPER_SETTINGS, NestedSettings, fit_nested
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.power import PowerPriors

DOMAINS = ("web", "code", "books")
SIZES = {"25k": 25e3, "56k": 56e3, "99k": 99e3}
STRENGTH = np.array([[0.8, 0.2, 0.4], [0.2, 1.0, 0.1], [0.4, 0.2, 0.9], [0.5, 0.5, 0.5]])


def target(num_params=332e3, tokens=1.0e6):
    return Target(num_params, num_params, tokens, tokens)


def truth(shares, num_params, tokens):
    """A law of the kind that nesting assumes: sizes scale the mixture term, tokens add."""
    mixture = 1.0 / (STRENGTH * shares[:, None, :] ** 0.6).sum(axis=2)
    size = (np.asarray(num_params) / 1e5)[:, None] ** -0.25
    return 1.5 + (0.6 + 0.4 * mixture) * size + 0.5 * (np.asarray(tokens) / 5e5)[:, None] ** -0.45


def observations(
    *, num_mixtures=12, sizes=SIZES, seeds=(0,), noise=0.0, last=0.5e6, num_checkpoints=8
):
    """Return a demo-sized experiment: log-spaced checkpoints of every (size, mixture, seed)."""
    generator = np.random.default_rng(3)
    shares = generator.dirichlet(np.ones(3), num_mixtures)
    shares[0] = [0.5, 0.5, 0.0]
    grid = [(size, m, s) for size in sizes for m in range(num_mixtures) for s in seeds]
    tokens = np.tile(np.geomspace(last / 20, last, num_checkpoints), len(grid))
    size, mixture, seed = (np.repeat([row[i] for row in grid], num_checkpoints) for i in range(3))
    num_params = np.array([sizes[label] for label in size])
    losses = truth(shares[mixture], num_params, tokens)
    return Observations(
        domains=DOMAINS,
        validation_domains=(*DOMAINS, "news"),
        size=size,
        mixture=np.array([f"mix-{m:03d}" for m in mixture]),
        seed=seed,
        step=(tokens / 1e3).astype(int),
        proportions=shares[mixture],
        num_params=num_params,
        compute_params=num_params,
        tokens=tokens,
        effective_tokens=tokens,
        annealing=np.zeros(len(tokens)),
        losses=losses + noise * generator.normal(size=losses.shape),
    )


def expected(fit, at):
    return truth(fit.proportions, [at.num_params], [at.tokens])


def test_the_demo_scale_is_extrapolated():
    fit = fit_nested(observations(noise=0.01), target())
    error = fit.losses - expected(fit, target())
    assert fit.losses.shape == (12, 4)
    assert np.abs(error).mean() < 0.08
    # The question is which mixture: differences between mixtures are what must be right.
    assert np.abs(error - error.mean(axis=0)).mean() < 0.03
    assert list(fit.mixtures) == sorted(fit.mixtures)


def test_only_tokens_are_extrapolated_exactly_for_a_planted_step_law():
    seen = observations(sizes={"99k": 99e3})
    exact = NestedSettings(step_priors=PowerPriors(noise=1e-6))
    fit = fit_nested(seen, target(99e3), settings=exact)
    assert fit.size is None
    np.testing.assert_allclose(fit.losses, expected(fit, target(99e3)), atol=1e-3)
    np.testing.assert_allclose(fit.step.law.alpha, 0.45, rtol=1e-3)


def test_the_mixing_law_is_that_of_the_extrapolated_losses():
    fit = fit_nested(observations(), target(), mixing="exponential")
    assert fit.mixing.name == "exponential"
    residuals = fit.mixing.predict(fit.proportions) - fit.losses
    np.testing.assert_allclose(fit.mixing_fit.residuals, residuals)
    assert np.abs(residuals).mean() < 0.02


def test_observed_losses_are_used_at_observed_tokens():
    seen = observations(noise=0.01)
    fit = fit_nested(seen, target(tokens=0.5e6))
    assert fit.step is None
    last = seen.select((seen.tokens == seen.tokens.max()) & (seen.size == "56k"))
    assert np.abs(fit.size.predict(56e3) - last.losses).max() < 0.05


@pytest.mark.parametrize("fit", [fit_nested, fit_loglog])
def test_one_size_is_not_extrapolated_to_another(fit):
    seen = observations()
    alone = seen.select(seen.size == "99k")
    with pytest.raises(FitError, match=r"one size \(99,000 .*another size, the target's 332,000"):
        fit(alone, target())
    assert fit(alone, target(99e3)).losses.shape == (12, 4)


def test_seeds_are_averaged():
    seen = observations(noise=0.02, seeds=(0, 1, 2))
    fit = fit_nested(seen, target(99e3))
    per_seed = fit.step.predict(1.0e6)
    chosen = (fit.step.mixture == "mix-004") & (fit.step.size == "99k")
    assert chosen.sum() == 3
    alone = fit_nested(seen.select(seen.size == "99k"), target(99e3))
    np.testing.assert_allclose(alone.losses[4], per_seed[chosen].mean(axis=0), atol=0.02)


def test_runs_may_differ_in_length():
    seen = observations()
    short = (seen.mixture == "mix-002") & (seen.tokens > 0.3e6)
    fit = fit_nested(seen.select(~short), target())
    assert set(fit.step.num_points[fit.step.mixture == "mix-002"]) == {MIN_CHECKPOINTS}
    assert np.abs(fit.losses - expected(fit, target())).mean() < 0.08


def test_the_early_part_is_left_out_but_three_checkpoints_stay():
    for early_cut, num_points in [(0.0, 8), (0.5, 3), (0.99, 3)]:
        fit = fit_nested(observations(), target(), settings=NestedSettings(early_cut=early_cut))
        assert set(fit.step.num_points) == {num_points}
        kept = np.sort(np.unique(observations().tokens))[-num_points:]
        np.testing.assert_allclose(fit.step.first, kept[0])


def test_a_mixture_at_one_size_borrows_the_exponent():
    seen = observations(noise=0.003)
    partial = seen.select((seen.mixture != "mix-005") | (seen.size == "99k"))
    whole, fit = fit_nested(seen, target()), fit_nested(partial, target())
    assert fit.size.num_points[5] == 1
    assert np.abs(fit.losses[5] - whole.losses[5]).max() < 0.05
    with pytest.raises(FitError, match="mix-005 were seen at one size only and cannot borrow"):
        fit_nested(partial, target(), settings=NestedSettings(size_sharing="curve"))


def test_some_mixture_must_be_seen_at_several_sizes():
    seen = observations()
    label = np.array(list(SIZES))[[int(name[-3:]) % 3 for name in seen.mixture]]
    with pytest.raises(FitError, match="each of the 12 mixtures was seen at one size"):
        fit_nested(seen.select(seen.size == label), target())


def test_the_unit_of_tokens_and_sizes_does_not_matter():
    seen = observations(noise=0.01)
    large = replace(seen, num_params=seen.num_params * 1e4, tokens=seen.tokens * 1e5)
    fit = fit_nested(seen, target())
    scaled = fit_nested(large, target(332e7, 1.0e11))
    np.testing.assert_allclose(scaled.losses, fit.losses, atol=1e-6)


@pytest.mark.parametrize("sharing", ["curve", "row", "validation_domain", "all"])
def test_sharing_ties_exponents(sharing):
    settings = NestedSettings(step_sharing=sharing)
    fit = fit_nested(observations(noise=0.02), target(), settings=settings)
    alpha = fit.step.law.alpha.reshape(36, 4)
    rows = {"curve": 36, "row": 36, "validation_domain": 1, "all": 1}[sharing]
    columns = {"curve": 4, "row": 1, "validation_domain": 4, "all": 1}[sharing]
    assert len(np.unique(alpha)) == rows * columns


def test_the_papers_settings_share_as_the_authors_do():
    fit = fit_nested(observations(noise=0.01), target(), settings=PAPER_SETTINGS)
    assert len(np.unique(fit.step.law.alpha)) == 36
    assert len(np.unique(fit.size.law.alpha)) == 1


def test_a_run_that_is_too_short_is_named():
    seen = observations(num_checkpoints=2, num_mixtures=2, sizes={"25k": 25e3})
    with pytest.raises(
        FitError, match=r"runs 25k/mix-000/seed-0, .* have fewer checkpoints than the 3"
    ):
        fit_nested(seen, target(25e3))


@pytest.mark.parametrize("regressors", ["size-and-tokens", "compute"])
def test_loglog_recovers_planted_lines(regressors):
    seen = observations()
    cost = 6 * seen.compute_params * seen.tokens
    slope = {"size-and-tokens": (-0.05, -0.08), "compute": (-0.06, -0.06)}[regressors]
    level = 1.0 + 1.0 / (STRENGTH * seen.proportions[:, None, :] ** 0.6).sum(axis=2)
    line = slope[0] * np.log(seen.num_params / 1e5) + slope[1] * np.log(seen.tokens / 1e5)
    planted = replace(seen, losses=level * np.exp(line)[:, None])
    fit = fit_loglog(planted, target(), settings=LogLogSettings(regressors=regressors))
    got = [value.mean() for value in fit.slopes.values()]
    np.testing.assert_allclose(got, slope if len(got) == 2 else slope[:1], rtol=1e-6)
    carried = np.exp(slope[0] * np.log(3.32) + slope[1] * np.log(10.0))
    first = np.unique(seen.mixture, return_index=True)[1]
    np.testing.assert_allclose(fit.losses, level[first] * carried, rtol=1e-6)
    distance = {"size-and-tokens": [332 / 99, 2.0], "compute": [332 / 99 * 2.0]}[regressors]
    np.testing.assert_allclose(list(fit.distance.values()), distance)
    assert cost.max() * np.prod(list(fit.distance.values())) == pytest.approx(6 * 332e3 * 1.0e6)


def test_the_loglog_interval_widens_with_the_distance():
    seen = observations(noise=0.02)
    widths = []
    for tokens in (0.5e6, 1e6, 1e7, 1e8):
        lower, upper = fit_loglog(seen, target(99e3, tokens)).interval(0.9)
        widths.append(np.log(upper / lower).mean())
    assert widths == sorted(widths)
    assert widths[-1] > 1.5 * widths[0]


def test_loglog_needs_something_that_varies():
    seen = observations(sizes={"25k": 25e3})
    last = seen.select(seen.tokens == seen.tokens.max())
    with pytest.raises(FitError, match="at least two mixtures, each seen at several values"):
        fit_loglog(last, target(25e3))
