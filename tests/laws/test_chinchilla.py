"""L(N, D): worked numbers and the optimum for a number of FLOPs."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from mixlaws.laws.chinchilla import ChinchillaLaw


def law(E, A, alpha, B, beta, *, params=1.0, tokens=1.0):
    parts = (np.array([float(part)]) for part in (E, A, alpha, B, beta))
    return ChinchillaLaw(*parts, reference_params=params, reference_tokens=tokens)


def test_the_worked_number():
    """a N^-b + c D^-d with a = c = 1, b = .5, d = .3, at 1,000 parameters and 10,000 tokens."""
    assert law(0, 1, 0.5, 1, 0.3).predict(1000, 10_000)[0] == pytest.approx(0.0947, abs=5e-5)


# Hoffmann et al. 2022 (2203.15556), approach 3: table A3, and the parameters with the four digits
# that Besiroglu et al. 2024 (2404.10102) found in its source. The table's rows of 1B and 10B hold
# 6 N D = FLOPs within 2 %, so that agreement cannot be better.
@pytest.mark.parametrize(
    ("flops", "num_params", "tokens"),
    [
        (2.21e19, 400e6, 9.2e9),
        (1.62e20, 1e9, 27.1e9),
        (2.46e22, 10e9, 410.1e9),
        (1.71e24, 67e9, 4.1e12),
    ],
)
def test_the_published_parameters_give_the_published_optimum(flops, num_params, tokens):
    published = law(1.6934, 406.4, 0.3392, 410.7, 0.2849)
    found = published.optimum(flops)
    assert found[0][0] == pytest.approx(num_params, rel=0.05)
    assert found[1][0] == pytest.approx(tokens, rel=0.06)
    size, token = published.growth(10.0)
    assert np.log10(size[0]) == pytest.approx(0.46, abs=0.005)  # a and b of table 2
    assert np.log10(token[0]) == pytest.approx(0.54, abs=0.005)


@pytest.mark.parametrize("flops", [1e19, 3e21])
def test_no_other_size_has_a_lower_loss(flops):
    fitted = law(1.5, 0.8, 0.3, 0.5, 0.45, params=1e8, tokens=2e10)
    found = minimize_scalar(
        lambda log_n: fitted.predict(np.exp(log_n), flops / 6 / np.exp(log_n))[0],
        bounds=(np.log(1e5), np.log(1e13)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    size, tokens = (each[0] for each in fitted.optimum(flops))
    assert size == pytest.approx(np.exp(found.x), rel=1e-4)
    assert 6 * size * tokens == pytest.approx(flops, rel=1e-12)
