"""Table 1: which functional form predicts the losses of mixtures it was not fitted to?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from mixlaws.errors import ConfigError
from mixlaws.losses.studies import Study
from mixlaws.paper.points import Settings, cross_section
from mixlaws.scoring.predictors import mixing_predictor

FORMS = {"M1": "M1", "M2": "M2", "M3": "M3", "M4": "exponential"}
"""The paper's name of each form, and ours."""
BESIDE = {"additive": "additive", "linear": "linear", "mean": "mean"}
RANDOM = "random"
PAPER_SPLIT = "paper"


def compare_forms(study: Study, settings: Settings, seed: int) -> pd.DataFrame:
    """Return mean absolute errors by split, form and validation domain.

    The split `paper` validates on the runs that settings name; `num_splits` random splits of the
    same sizes follow. Columns: split, form, validation_domain, fitted_mae, validation_mae.
    """
    rows = cross_section(study, settings["size"], settings["step"])
    run_of = dict(zip(study.mixtures["mixture"], study.mixtures["run"], strict=True))
    held_out = np.array([run_of[m] in settings["validation_runs"] for m in rows.mixture])
    if held_out.sum() != len(settings["validation_runs"]):
        raise ConfigError(
            f"published.figures.forms.validation_runs must name runs of size {settings['size']}, "
            f"but only {held_out.sum()} of {len(settings['validation_runs'])} were found"
        )
    generator = np.random.default_rng(seed)
    splits = {PAPER_SPLIT: held_out}
    splits |= {str(i): generator.permutation(held_out) for i in range(settings["num_splits"])}
    table = [
        {"split": name, **scored}
        for name, split in splits.items()
        for scored in _score_split(rows.proportions, rows.losses, split)
    ]
    domains = dict(enumerate(study.weights))
    return pd.DataFrame(table).assign(
        validation_domain=lambda t: t["validation_domain"].map(domains)
    )


def _score_split(
    proportions: np.ndarray, losses: np.ndarray, held_out: np.ndarray
) -> Iterator[dict[str, Any]]:
    fitted, unseen = ~held_out, held_out
    errors = {RANDOM: _random_errors(losses)}
    for name, law in (FORMS | BESIDE).items():
        predict = mixing_predictor(law)
        errors[name] = np.abs(predict(proportions[fitted], losses[fitted], proportions) - losses)
    for name, error in errors.items():
        for place in range(losses.shape[1]):
            yield {
                "form": name,
                "validation_domain": place,
                "fitted_mae": float(error[fitted, place].mean()),
                "validation_mae": float(error[unseen, place].mean()),
            }


def _random_errors(losses: np.ndarray) -> np.ndarray:
    """Return the expected error (n, V) of a uniform guess between the lowest and highest loss."""
    low, high = losses.min(axis=0), losses.max(axis=0)
    return np.asarray(((losses - low) ** 2 + (high - losses) ** 2) / (2 * (high - low)))


def form_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return per form and validation domain the paper's split and the median of the others."""
    key = ["form", "validation_domain"]
    ours = table[table["split"] == PAPER_SPLIT].set_index(key)
    repeated = table[table["split"] != PAPER_SPLIT].groupby(key, sort=False)["validation_mae"]
    low, high = repeated.quantile(0.1), repeated.quantile(0.9)
    spread = pd.DataFrame({"repeated_median": repeated.median(), "low": low, "high": high})
    return ours.drop(columns="split").join(spread).reset_index()
