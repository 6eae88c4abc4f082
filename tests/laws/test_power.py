import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixlaws.errors import FitError
from mixlaws.laws.chinchilla import ChinchillaLaw, ChinchillaPriors, fit_chinchilla
from mixlaws.laws.power import EXPONENT_BOUNDS, GRID_SIZE, PowerLaw, PowerPriors, fit_power_laws

TOKENS = np.geomspace(1e9, 3e10, 9)


def planted(E, A, alpha, reference=5e9):
    return PowerLaw(*(np.atleast_1d(part).astype(float) for part in (E, A, alpha)), reference)


@settings(deadline=None, max_examples=40)
@given(st.floats(0.5, 3), st.floats(0.2, 2), st.floats(0.08, 1.5), st.floats(1e-3, 1e3))
def test_planted_parameters_are_recovered_at_any_scale(E, A, alpha, unit):
    truth = planted(E, A, alpha)
    law, fit = fit_power_laws(TOKENS * unit, truth.predict(TOKENS))
    assert law.alpha[0] == pytest.approx(alpha, rel=1e-3)
    assert law.E[0] == pytest.approx(E, abs=0.01)
    np.testing.assert_allclose(law.predict(1e11 * unit), truth.predict(1e11), atol=5e-4)
    assert fit.num_starts == GRID_SIZE
    assert fit.num_agreeing[0] == GRID_SIZE  # one valley: every grid point leads to it


def test_groups_share_an_exponent():
    alphas = np.array([0.3, 0.3, 0.6, 0.6])
    truth = planted([2.0, 1.0, 2.5, 1.5], [1.0, 0.5, 0.8, 0.3], alphas)
    noise = 0.003 * np.random.default_rng(0).normal(size=(4, 9))
    law, _ = fit_power_laws(
        TOKENS,
        truth.predict(TOKENS) + noise,
        groups=np.array([7, 7, 3, 3]),
        priors=PowerPriors(exponent_sd=10.0),
    )
    assert law.alpha[0] == law.alpha[1] != law.alpha[2] == law.alpha[3]
    np.testing.assert_allclose(law.alpha, alphas, atol=0.06)


def test_missing_points_change_nothing_for_the_other_curves():
    truth = planted([2.0, 1.0], [1.0, 0.5], [0.3, 0.6])
    losses = truth.predict(TOKENS)
    losses[1, 3:5] = np.nan
    law, fit = fit_power_laws(TOKENS, losses)
    np.testing.assert_allclose(law.alpha, [0.3, 0.6], rtol=1e-4)
    assert np.isnan(fit.residuals[3:5, 1]).all()
    assert np.nanmax(np.abs(fit.residuals)) < 1e-5


def test_the_prior_decides_where_two_points_cannot():
    truth = planted(2.0, 1.0, 0.9)
    law, _ = fit_power_laws(
        TOKENS[[0, 8]], truth.predict(TOKENS[[0, 8]]), priors=PowerPriors(exponent=0.4)
    )
    assert law.alpha[0] == pytest.approx(0.4, rel=1e-3)


def test_a_prior_on_the_irreducible_loss_pulls_it():
    losses = planted(2.0, 1.0, 0.3).predict(TOKENS[:3])
    lowest = losses.min()
    for part in (0.3, 0.8):
        priors = PowerPriors(exponent_sd=10, irreducible=part, irreducible_sd=1e-4, noise=1.0)
        law, _ = fit_power_laws(TOKENS[:3], losses, priors=priors)
        assert law.E[0] == pytest.approx(part * lowest, rel=1e-3)


def test_huber_ignores_a_bad_checkpoint():
    truth = planted(2.0, 1.0, 0.5)
    losses = truth.predict(TOKENS) + 1e-4 * np.random.default_rng(1).normal(size=9)
    losses[0, 6] += 0.1
    errors = {}
    for robust in (False, True):
        law, _ = fit_power_laws(TOKENS, losses, robust=robust)
        errors[robust] = abs(law.predict(1e11)[0] - truth.predict(1e11)[0])
    assert errors[True] < 0.25 * errors[False]


def test_a_rising_curve_is_flat_and_says_so():
    law, fit = fit_power_laws(TOKENS, np.linspace(2.0, 2.1, 9)[None])
    assert law.predict(1e12)[0] == pytest.approx(2.05)
    assert "A" in fit.at_bound[0]


def test_an_exponent_at_its_limit_is_named():
    losses = planted(2.0, 1.0, 4.0, reference=2e9).predict(TOKENS)
    law, fit = fit_power_laws(TOKENS, losses, priors=PowerPriors(exponent_sd=10.0))
    assert law.alpha[0] == pytest.approx(EXPONENT_BOUNDS[1])
    assert fit.at_bound[0] == ("alpha",)


def test_predict_shapes():
    law = planted([2.0, 1.0], [1.0, 0.5], [0.3, 0.6])
    assert law.predict(1e9).shape == (2,)
    assert law.predict(TOKENS).shape == (2, 9)
    assert law.predict(np.tile(TOKENS, (2, 1))).shape == (2, 9)


@pytest.mark.parametrize(
    ("x", "losses", "message"),
    [
        (TOKENS, np.full((1, 9), np.nan), r"curves \[0\] of a power law have no observed"),
        (TOKENS - TOKENS[0], np.ones((1, 9)), "not defined at 0 parameters or tokens"),
    ],
)
def test_power_law_errors(x, losses, message):
    with pytest.raises(FitError, match=message):
        fit_power_laws(x, losses)


def chinchilla_grid():
    num_params, tokens = np.meshgrid(np.geomspace(1e7, 1e9, 6), np.geomspace(1e9, 1e11, 6))
    return num_params.ravel(), tokens.ravel()


@settings(deadline=None, max_examples=20)
@given(st.floats(1, 2), st.floats(0.3, 1), st.floats(0.2, 0.5), st.floats(0.3, 0.7))
def test_chinchilla_is_recovered(E, A, alpha, beta):
    num_params, tokens = chinchilla_grid()
    parts = (np.array([part]) for part in (E, A, alpha, 0.6, beta))
    truth = ChinchillaLaw(*parts, reference_params=1e8, reference_tokens=1e10)
    losses = np.array([truth.predict(n, d)[0] for n, d in zip(num_params, tokens, strict=True)])
    weak = ChinchillaPriors(noise=1e-4)
    law, fit = fit_chinchilla(num_params, tokens, losses[None], priors=weak)
    assert law.alpha[0] == pytest.approx(alpha, rel=0.03)
    assert law.beta[0] == pytest.approx(beta, rel=0.03)
    assert law.predict(5e9, 5e11)[0] == pytest.approx(truth.predict(5e9, 5e11)[0], abs=0.005)
    assert np.abs(fit.residuals).max() < 2e-3


def test_chinchilla_needs_more_losses_than_parameters():
    with pytest.raises(FitError, match="curve 0 has only 4 losses, too few for the 5"):
        fit_chinchilla(np.ones(4), np.arange(1.0, 5.0), np.ones((1, 4)))
