"""Algorithm 1 on RedPajama: step law, size law, mixing law and search, compared with the losses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from mixlaws.decision.limits import make_limits
from mixlaws.decision.objective import Objective
from mixlaws.decision.optimum import minimise_objective
from mixlaws.laws.mixing.boosted import BoostedLaw, fit_boosted_law
from mixlaws.laws.mixing.fit import fit_mixing_law
from mixlaws.laws.mixing.form import MixingPriors
from mixlaws.laws.nested import (
    PAPER_SETTINGS,
    NestedFit,
    NestedSettings,
    Sharing,
    fit_nested,
)
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.overall import OVERALL
from mixlaws.laws.power import EXPONENT_BOUNDS
from mixlaws.losses.arrays import make_observations
from mixlaws.losses.swarm import Swarm
from mixlaws.mixtures.designs import diminishing_candidates
from mixlaws.paper.points import (
    Panels,
    Settings,
    complete_runs,
    cross_section,
    row_of,
    sample_shares,
    target_at,
)
from mixlaws.scoring.law_tables import size_table, step_table
from mixlaws.tables import write_table

BOOSTED, EXPONENTIAL = "boosted implicit", "exponential"
ROLES = ("default", "optimised")


@dataclass(frozen=True, eq=False)
class Extrapolation:
    """The paper's pipeline, fitted to a swarm."""

    swarm: Swarm
    panels: Panels
    fit: NestedFit
    target: Target
    named: dict[str, np.ndarray]
    """Proportions (K,) of the mixtures trained at the target: default and optimised."""
    observed: dict[str, np.ndarray]
    """Observed losses (G + 1,) of these mixtures at the target, the overall loss last."""
    boosted: dict[str, BoostedLaw]
    """The paper's mixing law by panel: boosted, with implicit domains."""
    settings: Settings


def extrapolate(
    swarm: Swarm, groups: Mapping[str, Sequence[str]], settings: Settings
) -> Extrapolation:
    """Fit the nested pipeline as the paper does, to the mixtures trained at all sizes."""
    panels = Panels.of(swarm, groups)
    target = target_at(swarm, **settings["target"])
    seen = make_observations(swarm)
    there = (seen.size == settings["target"]["size"]) & (seen.step == settings["target"]["step"])
    last = seen.select(there)
    places = {role: row_of(last, settings[role]) for role in ROLES}
    losses = panels.of_losses(last.losses)
    runs = panels.group(complete_runs(swarm, settings["sizes"], settings["steps"]))
    fit = fit_nested(runs, target, mixing=EXPONENTIAL, settings=PAPER_SETTINGS)
    return Extrapolation(
        swarm=swarm,
        panels=panels,
        fit=fit,
        target=target,
        named={role: last.proportions[place] for role, place in places.items()},
        observed={role: losses[place] for role, place in places.items()},
        boosted=_fit_boosted(fit, panels, settings),
        settings=settings,
    )


def _fit_boosted(fit: NestedFit, panels: Panels, settings: Settings) -> dict[str, BoostedLaw]:
    """Fit one boosted law per panel to the extrapolated losses."""
    losses = np.column_stack([fit.losses, fit.losses @ panels.weights])
    priors = MixingPriors(num_terms=settings["num_implicit"])
    return {
        name: fit_boosted_law(
            fit.proportions, column, num_laws=settings["num_boosted"], priors=priors
        )
        for name, column in zip(panels.names, losses.T, strict=True)
    }


def extrapolate_losses(
    study: str | Path,
    groups: Mapping[str, Sequence[str]],
    settings: Settings,
    outputs: Mapping[str, str | Path],
) -> None:
    """Run the pipeline on the study in a folder and write its tables to `outputs`, by name.

    The names are step_law, size_law, extrapolated, target_predictions, candidates, optima,
    sharing_sensitivity and fitting_points.
    """
    found = extrapolate(Swarm.load(study), groups, settings)
    grid = candidates(found)
    tables = law_tables(found) | {
        "extrapolated": extrapolated_losses(found),
        "target_predictions": target_predictions(found),
        "candidates": grid,
        "optima": optima(found, grid),
        "sharing_sensitivity": sharing_sensitivity(found),
        "fitting_points": fitting_points(found),
    }
    for name, path in outputs.items():
        write_table(tables[name], path)


def law_tables(found: Extrapolation) -> dict[str, pd.DataFrame]:
    """Return the step laws and the size laws of every run, group and mixture."""
    names = found.panels.names[:-1]
    return {
        "step_law": step_table(found.fit, names),
        "size_law": size_table(found.fit, names, found.target.tokens),
    }


def target_predictions(found: Extrapolation) -> pd.DataFrame:
    """Return predicted and observed losses at the target for every panel.

    Columns: law, role, panel, predicted, observed. The paper's law, boosted implicit, is fitted to
    each panel. The exponential law is fitted to each group; weighted predictions are summed.
    """
    proportions = np.array([found.named[role] for role in ROLES])
    boosted = np.column_stack([law.predict(proportions) for law in found.boosted.values()])
    explicit = _explicit(found.fit, found.panels, proportions)
    rows = []
    for law, predicted in ((BOOSTED, boosted), (EXPONENTIAL, explicit)):
        for role, losses in zip(ROLES, predicted, strict=True):
            for panel, loss, truth in zip(
                found.panels.names, losses, found.observed[role], strict=True
            ):
                row = {"law": law, "role": role, "panel": panel}
                rows.append(row | {"predicted": loss, "observed": truth})
    return pd.DataFrame(rows)


def _explicit(fit: NestedFit, panels: Panels, proportions: np.ndarray) -> np.ndarray:
    grouped = fit.mixing.predict(proportions)
    return np.column_stack([grouped, grouped @ panels.weights])


def extrapolated_losses(found: Extrapolation) -> pd.DataFrame:
    """Return the overall loss of each mixture at the target, predicted by step and size laws."""
    overall = found.fit.losses @ found.panels.weights
    shares = {f"r_{d}": found.fit.proportions[:, j] for j, d in enumerate(found.swarm.domains)}
    return pd.DataFrame({"mixture": found.fit.mixtures, "loss": overall} | shares)


def candidates(found: Extrapolation) -> pd.DataFrame:
    """Return the paper's candidate mixtures, each with the overall loss predicted by each law.

    Columns: r_<domain>, sampled (whether it is a sample mixture), boosted implicit, exponential.
    """
    grid = diminishing_candidates(found.settings["limits"])
    sampled = sample_shares(found.swarm)
    near = np.abs(grid[:, None] - sampled[None]).max(axis=2) < 1e-9
    columns = {f"r_{d}": grid[:, j] for j, d in enumerate(found.swarm.domains)}
    return pd.DataFrame(
        columns
        | {
            "sampled": near.any(axis=1),
            BOOSTED: found.boosted[OVERALL].predict(grid),
            EXPONENTIAL: _explicit(found.fit, found.panels, grid)[:, -1],
        }
    )


def optima(found: Extrapolation, grid: pd.DataFrame) -> pd.DataFrame:
    """Return the mixtures with the lowest predicted loss on the grid and anywhere in the limits.

    Columns: law, search (grid or exact), loss, gap (Frank-Wolfe, nats), r_<domain>.
    """
    columns = [f"r_{domain}" for domain in found.swarm.domains]
    rows = []
    for law in (BOOSTED, EXPONENTIAL):
        place = int(grid[law].argmin())
        row = {"law": law, "search": "grid", "loss": grid[law].iloc[place], "gap": np.nan}
        rows.append(row | dict(zip(columns, grid[columns].to_numpy()[place], strict=True)))
    limits = make_limits(
        found.swarm.domains,
        found.target.tokens,
        shares={d: (0.0, float(upper)) for d, upper in found.settings["limits"].items()},
    )
    best = minimise_objective(found.fit.mixing, Objective(found.panels.weights), limits)
    row = {"law": EXPONENTIAL, "search": "exact", "loss": best.value, "gap": best.gap}
    rows.append(row | dict(zip(columns, best.proportions, strict=True)))
    return pd.DataFrame(rows)


def sharing_sensitivity(found: Extrapolation) -> pd.DataFrame:
    """Return the predictions for every way to share exponents between curves.

    Columns: validation (groups or overall), step_sharing, size_sharing, size_exponents (the
    authors' range or free), default, optimised, gain, extrapolated_optimised, rank (of the
    optimised mixture among the extrapolated losses), step_exponent, size_exponent (medians).
    """
    runs = complete_runs(found.swarm, found.settings["sizes"], found.settings["steps"])
    grouped = found.panels.group(runs)
    total = (grouped.losses @ found.panels.weights)[:, None]
    whole = replace(runs, losses=total, validation_domains=(OVERALL,))
    variants = {"groups": (grouped, found.panels.weights), OVERALL: (whole, np.ones(1))}
    rows = []
    for validation, (observations, weights) in variants.items():
        for labels, settings in _sharings(validation):
            fit = fit_nested(observations, found.target, mixing=EXPONENTIAL, settings=settings)
            rows.append({"validation": validation} | labels | _summary(found, fit, weights))
    return pd.DataFrame(rows)


def _sharings(validation: str) -> Iterator[tuple[dict[str, str], NestedSettings]]:
    ranges = {"authors' starts": PAPER_SETTINGS.size_priors.bounds, "free": EXPONENT_BOUNDS}
    # With one curve per run, sharing by row is sharing by curve, and sharing by domain is all.
    steps: tuple[Sharing, ...] = ("curve", "row", "validation_domain", "all")
    sizes: tuple[Sharing, ...] = ("validation_domain", "all")
    if validation == OVERALL:
        steps, sizes = ("curve", "all"), ("all",)
    for step in steps:
        for size in sizes:
            for name, bounds in ranges.items():
                yield (
                    {"step_sharing": step, "size_sharing": size, "size_exponents": name},
                    replace(
                        PAPER_SETTINGS,
                        step_sharing=step,
                        size_sharing=size,
                        size_priors=replace(PAPER_SETTINGS.size_priors, bounds=bounds),
                    ),
                )


def _summary(found: Extrapolation, fit: NestedFit, weights: np.ndarray) -> dict[str, float]:
    predicted = {
        role: float(fit.mixing.predict(found.named[role][None])[0] @ weights) for role in ROLES
    }
    overall = fit.losses @ weights
    own = overall[np.flatnonzero(fit.mixtures == found.settings["optimised"])[0]]
    return predicted | {
        "gain": predicted["default"] - predicted["optimised"],
        "extrapolated_optimised": float(own),
        "rank": int((overall < own).sum()) + 1,
        "step_exponent": _median(fit.step.law.alpha if fit.step else None),
        "size_exponent": _median(fit.size.law.alpha if fit.size else None),
    }


def _median(exponents: np.ndarray | None) -> float:
    return float("nan") if exponents is None else float(np.median(exponents))


def fitting_points(found: Extrapolation) -> pd.DataFrame:
    """Return predictions of the sample mixtures' losses at the last step of the largest proxy.

    Columns: law (exponential), kind (fitted: in-sample, or left out: by a fit to all others),
    mixture, panel, predicted, observed.
    """
    size, step = found.settings["sizes"][-1], found.settings["steps"][1]
    rows = cross_section(found.swarm, size, step)
    observed = found.panels.of_losses(rows.losses)
    kinds = {"fitted": _predict_all, "left out": _predict_left_out}
    tables = []
    for kind, predict in kinds.items():
        predicted = predict(found.panels.group(rows))
        predicted = np.column_stack([predicted, predicted @ found.panels.weights])
        for place, panel in enumerate(found.panels.names):
            columns = {"kind": kind, "mixture": rows.mixture, "panel": panel}
            columns |= {"predicted": predicted[:, place], "observed": observed[:, place]}
            tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _predict_all(rows: Observations) -> np.ndarray:
    law, _ = fit_mixing_law(EXPONENTIAL, rows.proportions, rows.losses)
    return law.predict(rows.proportions)


def _predict_left_out(rows: Observations) -> np.ndarray:
    predicted = np.empty_like(rows.losses)
    for place in range(len(rows)):
        others = np.arange(len(rows)) != place
        law, _ = fit_mixing_law(EXPONENTIAL, rows.proportions[others], rows.losses[others])
        predicted[place] = law.predict(rows.proportions[place][None])[0]
    return predicted
