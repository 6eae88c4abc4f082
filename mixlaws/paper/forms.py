"""Table 1: errors of each functional form on mixtures that it was not fitted to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixlaws.errors import ConfigError
from mixlaws.losses.readers.data_mixing_laws import mixture_id
from mixlaws.losses.swarm import Swarm
from mixlaws.paper.points import Settings, cross_section
from mixlaws.scoring.predictors import mixing_predictor
from mixlaws.tables import write_table

FORMS = {"M1": "M1", "M2": "M2", "M3": "M3", "M4": "exponential"}
"""Our names of the forms, by the paper's."""
BESIDE = {"additive": "additive", "linear": "linear", "mean": "mean"}
RANDOM = "random"
PAPER_SPLIT = "paper"


def compare_forms(study: str | Path, settings: Settings, seed: int, output: str | Path) -> None:
    """Score each form on splits of the study in a folder and write the errors."""
    write_table(form_errors(Swarm.load(study), settings, seed), output)


def form_errors(swarm: Swarm, settings: Settings, seed: int) -> pd.DataFrame:
    """Return mean absolute errors by split, form and validation domain.

    The split `paper` validates on the runs named in the settings. `num_splits` random splits of the
    same sizes follow. Columns: split, form, validation_domain, fitted_mae, validation_mae.
    """
    rows = cross_section(swarm, settings["size"], settings["step"])
    validation = [mixture_id(run) for run in settings["validation_runs"]]
    held_out = np.isin(rows.mixture, validation)
    if absent := sorted(set(validation) - set(rows.mixture)):
        raise ConfigError(
            f"size {settings['size']} has no run of {', '.join(absent)}. Correct "
            "published.figures.forms.validation_runs"
        )
    generator = np.random.default_rng(seed)
    splits = {PAPER_SPLIT: held_out}
    splits |= {str(i): generator.permutation(held_out) for i in range(settings["num_splits"])}
    table = [
        {"split": name, **scored}
        for name, split in splits.items()
        for scored in _score_split(rows.proportions, rows.losses, split)
    ]
    domains = dict(enumerate(swarm.weights))
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
    """Return the errors of the paper's split and the median over the other splits.

    There is one row per form and validation domain.
    """
    key = ["form", "validation_domain"]
    ours = table[table["split"] == PAPER_SPLIT].set_index(key)
    repeated = table[table["split"] != PAPER_SPLIT].groupby(key, sort=False)["validation_mae"]
    low, high = repeated.quantile(0.1), repeated.quantile(0.9)
    spread = pd.DataFrame({"repeated_median": repeated.median(), "low": low, "high": high})
    return ours.drop(columns="split").join(spread).reset_index()
