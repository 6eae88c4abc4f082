"""Read our value of every claim in published.claims from the tables of the figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixlaws.files import read_json
from mixlaws.laws.overall import OVERALL
from mixlaws.losses.swarm import Swarm
from mixlaws.paper.extrapolation import BOOSTED, EXPONENTIAL, ROLES
from mixlaws.paper.five_domains import IN_SAMPLE, REPEATED
from mixlaws.paper.forms import FORMS, RANDOM, form_summary
from mixlaws.paper.points import Settings
from mixlaws.paper.verdicts import judge
from mixlaws.presentation import table_rows
from mixlaws.tables import read_table, write_table

Measured = dict[str, float | int | str | bool]
STRAIGHT = 0.998
"""From this correlation on, points in figure 2 count as a straight line."""
BIAS = (0.06, 0.11)
"""Range of the errors of the authors' predictions for the two mixtures, nats."""


def write_verdicts(results: str | Path, published: Mapping[str, Any], output: str | Path) -> None:
    """Compare the paper's claims with the tables of a results folder, and write the verdicts.

    Raises DataError if a table is missing.
    """
    write_table(judge(published["claims"], measure(results, published)), output)


def measure(results: str | Path, published: Mapping[str, Any]) -> Measured:
    """Return our value of every claim, from the tables of a results folder.

    Raises DataError if a table is missing.
    """
    results, figures = Path(results), published["figures"]

    def table(study: str, name: str) -> pd.DataFrame:
        return read_table(results / study / f"{name}.csv", [])

    names = ("target_predictions", "candidates", "optima", "extrapolated")
    redpajama = Swarm.load(results / "redpajama")
    record = read_json(results / "continual" / "errors.json")
    return (
        of_setup(published, redpajama.weights)
        | of_two_domains(table("2mix", "two_domain_laws"))
        | of_forms(table("3mix", "forms"))
        | of_interactions(table("5mix", "interactions"), figures["five_domains"])
        | of_aggregation(table("5mix", "aggregation"))
        | of_extrapolation(
            {name: table("redpajama", name) for name in names}, figures["extrapolation"]
        )
        | of_matching(table("redpajama", "steps_to_match"), figures["matching"])
        | of_ranks(table("redpajama", "rank_stability"), figures["ranks"])
        | of_continual(
            table("continual", "critical_proportions"),
            table("continual", "curves"),
            record["base_losses"],
            figures["continual"],
        )
    )


def of_setup(published: Mapping[str, Any], weights: Mapping[str, float]) -> Measured:
    """Return N of each size by the authors' count, and the sum of the validation weights."""
    measured: Measured = {"weights.sum": float(sum(weights.values()))}
    for name, size in published["sizes"].items():
        layers, width = size["num_layers"], size["model_width"]
        count = 12 * layers * width**2 + 13 * layers * width + 2 * width
        measured[f"num_params.{name}"] = count
    return measured


def of_two_domains(laws: pd.DataFrame) -> Measured:
    """Return t and ln k of every law of figure 2 by the paper's procedure."""
    grid = laws[laws["procedure"] == "grid"]
    measured: Measured = {"two_domains.straight": bool((grid["correlation"] > STRAIGHT).all())}
    for row in table_rows(grid):
        name = f"two_domains.{row.size}.{row.step}.{row.validation_domain}"
        measured |= {f"{name}.t": float(row.t), f"{name}.ln_k": float(row.ln_k)}
    return measured


def of_forms(table: pd.DataFrame) -> Measured:
    """Return the errors of table 1 that the paper states, and the best and the worst form."""
    summary = form_summary(table)
    measured: Measured = {}
    for row in table_rows(summary[summary["form"].isin([RANDOM, "M4"])]):
        measured[f"forms.{row.form}.{row.validation_domain}"] = float(row.validation_mae)
    wide = summary[summary["form"].isin(list(FORMS))].pivot(
        index="validation_domain", columns="form", values="repeated_median"
    )
    return measured | {
        "forms.best": str(wide.idxmin(axis=1).mode()[0]),
        "forms.worst": str(wide.idxmax(axis=1).mode()[0]),
    }


def of_interactions(table: pd.DataFrame, settings: Settings) -> Measured:
    """Compare the interactions of figure 4 with those in the authors' notebook."""
    t = table.pivot(index="validation_group", columns="domain", values="t")
    groups = list(settings["published_t"])
    ours = t.loc[groups, groups].to_numpy(dtype=float)
    theirs = np.array([settings["published_t"][group] for group in groups])
    theirs -= theirs.mean(axis=1, keepdims=True)
    return {
        "interactions.correlation": float(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]),
        "interactions.own": bool((ours.argmin(axis=1) == np.arange(len(groups))).all()),
        "interactions.dialogue_internet": bool(
            ours[groups.index("internet"), groups.index("dialogue")] < 0
        ),
        "interactions.symbolic_prose": bool(
            ours[groups.index("prose"), groups.index("symbolic")] > 0
        ),
    }


def of_aggregation(table: pd.DataFrame) -> Measured:
    """Return the errors of figure 5 as in the paper, and which aggregation is better held out."""
    mean = table.groupby(["num_implicit", "scoring"])["error"].mean().unstack()
    measured: Measured = {
        f"aggregation.{number}": float(error) for number, error in mean[IN_SAMPLE].items()
    }
    held_out = mean[REPEATED]
    better = bool(held_out[held_out.index.max()] < held_out[0])
    return measured | {"aggregation.implicit_better": better}


def of_extrapolation(tables: Mapping[str, pd.DataFrame], settings: Settings) -> Measured:
    """Return predicted and observed losses at the target, and the results of the search.

    `tables` holds target_predictions, candidates, optima and extrapolated.
    """
    predictions, grid = tables["target_predictions"], tables["candidates"]
    measured: dict[str, float] = {}
    for row in table_rows(predictions[predictions["law"] == BOOSTED]):
        measured[f"observed.{row.role}.{row.panel}"] = row.observed
        measured[f"predicted.{row.role}.{row.panel}"] = row.predicted
    explicit = predictions[predictions["law"] == EXPONENTIAL]
    for row in table_rows(explicit[explicit["panel"] == OVERALL]):
        measured[f"predicted.explicit.{row.role}"] = row.predicted
    promised = {role: measured[f"predicted.{role}.{OVERALL}"] for role in ROLES}
    bias = measured[f"observed.optimised.{OVERALL}"] - promised["optimised"]
    shares = [str(name) for name in grid if str(name).startswith("r_")]
    with_zero = int((grid[shares] == 0).any(axis=1).sum())
    sampled = tables["extrapolated"]
    paper = sampled.loc[sampled["mixture"] == settings["optimised"], shares].to_numpy()[0]
    chosen = grid[shares].to_numpy()[grid[BOOSTED].argmin()]
    return {
        **measured,
        "predicted.gain": promised["default"] - promised["optimised"],
        "predicted.bias_low": BIAS[0] <= bias <= BIAS[1],
        "grid.candidates": len(grid),
        "grid.with_zero": with_zero,
        "grid.without_zero": len(grid) - with_zero,
        "grid.sampled": int(grid["sampled"].sum()),
        "search.optimum": bool(np.allclose(chosen, paper)),
        "search.best_of_samples": bool(
            sampled["mixture"].iloc[sampled["loss"].argmin()] == settings["optimised"]
        ),
    }


def of_matching(table: pd.DataFrame, settings: Settings) -> Measured:
    """Return the ratios of figure 8 with all checkpoints from the first step on."""
    first = table[table["first_step"] == settings["first_steps"][0]]
    return {f"matching.{row.runner}": float(row.ratio) for row in table_rows(first)}


def of_ranks(stability: pd.DataFrame, settings: Settings) -> Measured:
    """Return the rank correlations, and the mixture that the smallest models rank first."""
    table = stability.set_index(["size", "step"])
    first, last = settings["steps"][0], settings["steps"][-1]
    *smaller, largest = settings["sizes"]
    measured: Measured = {
        f"ranks.{size}": float(table.loc[(size, last), "spearman"]) for size in smaller
    }
    return measured | {
        "ranks.early": float(table.loc[(largest, first), "spearman"]),
        f"ranks.best_{smaller[0]}": str(table.loc[(smaller[0], last), "best"]),
    }


def of_continual(
    critical: pd.DataFrame, curves: pd.DataFrame, base: Mapping[str, float], settings: Settings
) -> Measured:
    """Return the critical proportion by both procedures, and whether its run kept its loss."""
    last = critical[critical["step"] == settings["steps"][-1]].set_index("procedure")["value"]
    run = curves[
        (curves["mixture"] == settings["held_out"])
        & (curves["domain"] == "original")
        & (curves["step"] == settings["steps"][-1])
    ]
    return {
        "continual.base_original": base["original"],
        "continual.base_new": base["new"],
        "continual.critical": float(last["paper"]),
        "continual.critical_ours": float(last["ours"]),
        "continual.safe": bool(run["loss"].iloc[0] <= base["original"]),
    }
