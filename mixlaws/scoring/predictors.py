"""Baselines and the regressors that peers use, for the tables of scores only.

`mean` and `linear` are scored everywhere; they, and all up to `bimix`, need numpy alone.
`gaussian-process` needs scikit-learn and `lightgbm` LightGBM: the extra `comparators`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mixlaws.errors import FitError
from mixlaws.laws.mixing import MIXING_LAWS
from mixlaws.laws.mixing.fit import fit_mixing_law

BASELINES = ("mean", "linear", "best-observed")
BIMIX = "bimix"

MixingPredictor = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(proportions (n, K), losses (n, V), proportions to predict (m, K)) -> losses (m, V)."""


def mixing_predictor(name: str, own: np.ndarray | None = None) -> MixingPredictor:
    """Return the predictor of a mixing law, a comparator or `best-observed`, by name.

    `own` is as in `fit_comparator`.
    """

    def predict(proportions: np.ndarray, losses: np.ndarray, unseen: np.ndarray) -> np.ndarray:
        if name == "best-observed":  # never chooses an unseen mixture
            return np.full((len(unseen), losses.shape[1]), np.inf)
        if name in MIXING_LAWS:
            return fit_mixing_law(name, proportions, losses)[0].predict(unseen)
        return fit_comparator(name, proportions, losses, own=own).predict(unseen)

    return predict


RIDGE = 1e-2
"""Of the standardised features of quadratic and log-share."""
SHARE_FLOOR = 1e-2
"""Added to shares whose logarithm is taken; smaller values make zeros dominate the fit."""

Predictor = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Comparator:
    """A fitted regressor from proportions to losses, with the name that the tables use."""

    name: str
    predictor: Predictor

    def predict(self, proportions: np.ndarray) -> np.ndarray:
        """Return losses (m, V), nats, for proportions (m, K)."""
        return self.predictor(proportions)


def fit_comparator(
    name: str,
    proportions: np.ndarray,
    losses: np.ndarray,
    *,
    own: np.ndarray | None = None,
) -> Comparator:
    """Fit one of COMPARATORS to losses (n, V) of proportions (n, K).

    `own` (V,) gives the training domain of each validation domain, for `bimix` alone. Raises
    FitError for an unknown name, for `bimix` without `own`, and for a missing extra.
    """
    if name == BIMIX:
        return Comparator(name, _fit_bimix(proportions, losses, own))
    if name not in COMPARATORS:
        raise FitError(
            f"there is no comparator {name!r}: choose from {', '.join(COMPARATORS)} and {BIMIX}"
        )
    return Comparator(name, COMPARATORS[name](proportions, losses))


def own_domains(domains: Sequence[str], validation_domains: Sequence[str]) -> np.ndarray | None:
    """Return (V,) the place of each validation domain's name among the training domains.

    Names may differ in case and punctuation, as pile_cc and Pile-CC. Returns None if a validation
    domain is not trained on, as far as names tell.
    """
    places = {_letters(name): place for place, name in enumerate(domains)}
    if not {_letters(name) for name in validation_domains} <= set(places):
        return None
    return np.array([places[_letters(name)] for name in validation_domains])


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _fit_mean(_proportions: np.ndarray, losses: np.ndarray) -> Predictor:
    return partial(_predict_mean, losses.mean(axis=0))


def _predict_mean(mean: np.ndarray, proportions: np.ndarray) -> np.ndarray:
    return np.tile(mean, (len(proportions), 1))


def _fit_linear(proportions: np.ndarray, losses: np.ndarray) -> Predictor:
    """Fit L = a.r by least squares; a constant would be redundant, as the shares sum to one."""
    return partial(_predict_linear, np.linalg.lstsq(proportions, losses, rcond=None)[0])


def _predict_linear(coefficients: np.ndarray, proportions: np.ndarray) -> np.ndarray:
    return proportions @ coefficients


def _fit_log_linear(proportions: np.ndarray, losses: np.ndarray) -> Predictor:
    """Fit L = exp(a.r): the exponential law without its constant, linear in log loss."""
    return partial(_predict_log_linear, np.linalg.lstsq(proportions, np.log(losses), rcond=None)[0])


def _predict_log_linear(coefficients: np.ndarray, proportions: np.ndarray) -> np.ndarray:
    return np.exp(proportions @ coefficients)


def _quadratic_features(proportions: np.ndarray) -> np.ndarray:
    first, second = np.triu_indices(proportions.shape[1])
    return np.concatenate([proportions, proportions[:, first] * proportions[:, second]], axis=1)


def _log_features(proportions: np.ndarray) -> np.ndarray:
    return np.log(proportions + SHARE_FLOOR)


def _fit_ridge(
    features: Callable[[np.ndarray], np.ndarray], proportions: np.ndarray, losses: np.ndarray
) -> Predictor:
    """Fit a ridge regression on standardised features."""
    table = features(proportions)
    centre, scale = table.mean(axis=0), np.maximum(table.std(axis=0), 1e-12)
    scaled = (table - centre) / scale
    normal = scaled.T @ scaled + RIDGE * len(table) * np.eye(table.shape[1])
    slopes = np.linalg.solve(normal, scaled.T @ (losses - losses.mean(axis=0)))
    slopes /= scale[:, None]
    return partial(_predict_ridge, features, slopes, losses.mean(axis=0) - centre @ slopes)


def _predict_ridge(
    features: Callable[[np.ndarray], np.ndarray],
    slopes: np.ndarray,
    constant: np.ndarray,
    proportions: np.ndarray,
) -> np.ndarray:
    return features(proportions) @ slopes + constant


def _fit_bimix(proportions: np.ndarray, losses: np.ndarray, own: np.ndarray | None) -> Predictor:
    """Fit L_i = A_i / r_i^alpha_i, BiMix's law at fixed steps (2405.14908, equation 1)."""
    if own is None:
        raise FitError(
            "bimix needs the training domain of every validation domain: use it only where each "
            "validation domain is also trained on, under the same name"
        )
    logs = np.log(np.maximum(proportions[:, own], SHARE_FLOOR))
    values = np.log(losses)
    centre = logs.mean(axis=0)
    spread = np.maximum(((logs - centre) ** 2).sum(axis=0), 1e-12)
    slope = ((logs - centre) * values).sum(axis=0) / spread
    return partial(_predict_bimix, own, slope, values.mean(axis=0) - slope * centre)


def _predict_bimix(
    own: np.ndarray, slope: np.ndarray, constant: np.ndarray, proportions: np.ndarray
) -> np.ndarray:
    return np.exp(constant + slope * np.log(np.maximum(proportions[:, own], SHARE_FLOOR)))


def _fit_gaussian_process(proportions: np.ndarray, losses: np.ndarray) -> Predictor:
    """Fit a Gaussian process with a common length on the square roots of the shares."""
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
    except ImportError as error:
        raise _missing_extra("gaussian-process", "scikit-learn") from error
    kernel = ConstantKernel(1.0) * RBF(1.0, (0.1, 30.0)) + WhiteKernel(1e-2, (1e-6, 1.0))
    with warnings.catch_warnings():  # of bounds that were reached: the scores tell a poor fit
        warnings.simplefilter("ignore", ConvergenceWarning)
        models = [
            GaussianProcessRegressor(kernel, normalize_y=True).fit(np.sqrt(proportions), column)
            for column in losses.T
        ]
    return partial(_predict_columns, models, np.sqrt)


def _fit_lightgbm(proportions: np.ndarray, losses: np.ndarray) -> Predictor:
    """Fit RegMix's regressor (2407.01492), with leaves small enough for a few mixtures."""
    try:
        from lightgbm import LGBMRegressor
    except ImportError as error:
        raise _missing_extra("lightgbm", "lightgbm") from error
    # With fewer than 40 mixtures the default of 20 a leaf returns a constant.
    settings: dict[str, Any] = {"min_child_samples": min(20, max(2, len(losses) // 16))}
    models = [
        LGBMRegressor(
            n_estimators=1000, learning_rate=0.01, verbose=-1, num_threads=1, **settings
        ).fit(proportions, column)
        for column in losses.T
    ]
    return partial(_predict_columns, models, np.asarray)


def _predict_columns(
    models: list[Any], features: Callable[[np.ndarray], np.ndarray], proportions: np.ndarray
) -> np.ndarray:
    return np.stack([model.predict(features(proportions)) for model in models], axis=1)


def _missing_extra(name: str, package: str) -> FitError:
    return FitError(
        f"the comparator {name} needs the package {package}, which is not installed: "
        "pip install 'mixlaws[comparators]', or leave it out"
    )


COMPARATORS: dict[str, Callable[[np.ndarray, np.ndarray], Predictor]] = {
    "mean": _fit_mean,
    "linear": _fit_linear,
    "log-linear": _fit_log_linear,
    "quadratic": partial(_fit_ridge, _quadratic_features),
    "log-share": partial(_fit_ridge, _log_features),
    "gaussian-process": _fit_gaussian_process,
    "lightgbm": _fit_lightgbm,
}
"""Fit functions by name. BIMIX is not among them, because it needs the domains' correspondence."""
