"""Figures 4 and 5: how five domains interact; explicit and implicit aggregation compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mixlaws.errors import ConfigError
from mixlaws.laws.mixing.fit import fit_mixing_law
from mixlaws.laws.mixing.form import MixingPriors
from mixlaws.losses.swarm import Swarm
from mixlaws.paper.points import Panels, Settings, cross_section
from mixlaws.tables import write_table

FREE = MixingPriors(noise=2e-3, slope_sd=20.0)
"""Priors that, like the authors' fit, hardly regularise t."""
IN_SAMPLE = "in-sample, the paper's"
SAME_HELD_OUT = "the paper's, held out"
REPEATED = "held out, repeated"

Predict = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(proportions (n, K), losses (n, G + 1) with the overall last, unseen (m, K)) -> overall (m,)."""


def fit_five_domains(
    study: str | Path,
    groups: Mapping[str, Sequence[str]],
    settings: Settings,
    seed: int,
    *,
    interactions: str | Path,
    aggregation: str | Path,
) -> None:
    """Write the tables of figures 4 (`interactions`) and 5 (`aggregation`) for a study's folder."""
    swarm = Swarm.load(study)
    write_table(interaction_matrix(swarm, groups, settings, seed), interactions)
    write_table(compare_aggregations(swarm, groups, settings, seed), aggregation)


def interaction_matrix(
    swarm: Swarm, groups: Mapping[str, Sequence[str]], settings: Settings, seed: int
) -> pd.DataFrame:
    """Return t_ij, with mean zero over the training domains, and 90 % intervals.

    Columns: validation_group, domain, t, lower, upper (bootstrap over mixtures). Adding a constant
    to a row of t only scales k, so the losses determine only differences within a row.
    """
    panels = Panels.of(swarm, groups)
    rows = panels.group(cross_section(swarm, settings["size"], settings["step"]))

    def slopes(weights: np.ndarray | None) -> np.ndarray:
        law, _ = fit_mixing_law(
            "exponential", rows.proportions, rows.losses, weights=weights, priors=FREE
        )
        return law.parameters()["t"]

    generator, n = np.random.default_rng(seed), len(rows)
    draws = [
        slopes(np.bincount(generator.integers(n, size=n), minlength=n).astype(float))
        for _ in range(settings["replicates"])
    ]
    lower, upper = np.quantile(draws, [0.05, 0.95], axis=0)
    return pd.DataFrame(
        {
            "validation_group": np.repeat(rows.validation_domains, len(swarm.domains)),
            "domain": np.tile(swarm.domains, len(rows.validation_domains)),
            "t": slopes(None).ravel(),
            "lower": lower.ravel(),
            "upper": upper.ravel(),
        }
    )


@dataclass(frozen=True, eq=False)
class _Data:
    proportions: np.ndarray
    """(n, K)."""
    losses: np.ndarray
    """(n, G + 1), the overall loss last."""


def compare_aggregations(
    swarm: Swarm, groups: Mapping[str, Sequence[str]], settings: Settings, seed: int
) -> pd.DataFrame:
    """Return the absolute errors of the overall loss by law and mixture.

    Columns: law, num_implicit (0: explicit), scoring, split, mixture, error. There are three
    scorings: as in the paper (fitted to all mixtures and scored in-sample on six of them), with
    these six held out, and with random splits of the same sizes.
    """
    panels = Panels.of(swarm, groups)
    rows = cross_section(swarm, settings["size"], settings["step"])
    evaluated = _find(rows.proportions, np.array(settings["evaluation_mixtures"], dtype=float))
    data = _Data(rows.proportions, panels.of_losses(rows.losses))
    generator = np.random.default_rng(seed)
    splits = [generator.permutation(evaluated) for _ in range(settings["num_splits"])]
    tables = []
    for num_implicit in (0, *settings["num_implicit"]):
        predict = _implicit(num_implicit) if num_implicit else _explicit(panels.weights)
        everything = np.zeros(len(rows), dtype=bool)
        scored = [(IN_SAMPLE, 0, everything, evaluated), (SAME_HELD_OUT, 0, evaluated, evaluated)]
        scored += [(REPEATED, place, split, split) for place, split in enumerate(splits)]
        for scoring, split, held_out, looked_at in scored:
            tables.append(
                pd.DataFrame(
                    {
                        "law": "implicit" if num_implicit else "explicit",
                        "num_implicit": num_implicit,
                        "scoring": scoring,
                        "split": split,
                        "mixture": rows.mixture[looked_at],
                        "error": _errors(data, predict, held_out, looked_at),
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)


def _find(proportions: np.ndarray, listed: np.ndarray) -> np.ndarray:
    """Return whether each row (n,) is listed; raise ConfigError if a listed one is not found."""
    near = np.abs(proportions[:, None] - listed[None]).max(axis=2) < 1e-9
    if not near.any(axis=0).all():
        absent = listed[~near.any(axis=0)].tolist()
        raise ConfigError(
            "no run has these mixtures of published.figures.five_domains.evaluation_mixtures: "
            f"{absent}. Correct them"
        )
    return near.any(axis=1)


def _explicit(weights: np.ndarray) -> Predict:
    def predict(proportions: np.ndarray, losses: np.ndarray, unseen: np.ndarray) -> np.ndarray:
        law, _ = fit_mixing_law("exponential", proportions, losses[:, :-1])
        return np.asarray(law.predict(unseen) @ weights)

    return predict


def _implicit(num_implicit: int) -> Predict:
    priors = MixingPriors(num_terms=num_implicit)

    def predict(proportions: np.ndarray, losses: np.ndarray, unseen: np.ndarray) -> np.ndarray:
        law, _ = fit_mixing_law("implicit", proportions, losses[:, -1:], priors=priors)
        return law.predict(unseen)[:, 0]

    return predict


def _errors(
    data: _Data, predict: Predict, held_out: np.ndarray, looked_at: np.ndarray
) -> np.ndarray:
    fitted = ~held_out
    predicted = predict(data.proportions[fitted], data.losses[fitted], data.proportions[looked_at])
    return np.abs(predicted - data.losses[looked_at, -1])
