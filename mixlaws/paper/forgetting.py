"""Figure 10: the critical proportion of continual pre-training, and the curves that give it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from mixlaws.decision.continual import (
    FORMS,
    Redraws,
    critical_proportion,
    fit_share_law,
    late_noise,
)
from mixlaws.files import write_json
from mixlaws.losses.arrays import make_observations
from mixlaws.losses.swarm import Swarm
from mixlaws.paper.points import Settings, overall_losses
from mixlaws.paper.two_domains import fit_by_grid
from mixlaws.tables import write_table


def fit_continual(
    study: str | Path,
    settings: Settings,
    seed: int,
    level: float,
    outputs: Mapping[str, str | Path],
) -> None:
    """Write the tables of figure 10 for the study in a folder.

    `outputs` has the paths of the tables critical, curves and laws, and of record (JSON).
    """
    swarm = Swarm.load(study)
    write_table(critical_proportions(swarm, settings, seed, level), outputs["critical"])
    write_table(continual_curves(swarm, settings), outputs["curves"])
    write_table(share_laws(swarm, settings), outputs["laws"])
    write_json(continual_record(swarm, settings), outputs["record"])


def continual_curves(swarm: Swarm, settings: Settings) -> pd.DataFrame:
    """Return mixture, share (of the original domain), step, domain (original, new), loss."""
    seen = make_observations(swarm)
    losses = {
        "original": overall_losses(swarm, seen),
        "new": seen.losses[:, seen.validation_domains.index(settings["new_domain"])],
    }
    columns = {"mixture": seen.mixture, "share": seen.proportions[:, 0], "step": seen.step}
    tables = [pd.DataFrame(columns | {"domain": d, "loss": loss}) for d, loss in losses.items()]
    return pd.concat(tables, ignore_index=True).sort_values(
        ["domain", "share", "step"], ignore_index=True
    )


def base_losses(swarm: Swarm, settings: Settings) -> dict[str, float]:
    """Return the losses of the initial model on the original and the new domain."""
    original = sum(swarm.base_losses[name] * weight for name, weight in swarm.weights.items())
    return {"original": float(original), "new": swarm.base_losses[settings["new_domain"]]}


def critical_proportions(swarm: Swarm, settings: Settings, seed: int, level: float) -> pd.DataFrame:
    """Return the critical proportion after each number of steps.

    The run at the paper's critical proportion is left out. Columns: step, procedure (the paper's,
    with c from a grid, and ours by form), value, lower, upper (only for ours, over all forms).
    """
    curves = continual_curves(swarm, settings)
    original = curves[
        (curves["domain"] == "original") & (curves["mixture"] != settings["held_out"])
    ]
    wide = original.pivot(index="share", columns="step", values="loss")
    late = wide.columns >= settings["noise_from_step"]
    noise = late_noise(wide.columns[late].to_numpy(dtype=float), wide.loc[:, late].to_numpy())
    redraws = Redraws(level, settings["replicates"], seed)
    goal, shares = base_losses(swarm, settings)["original"], wide.index.to_numpy(dtype=float)
    rows = []
    for step in settings["steps"]:
        losses = wide[step].to_numpy()
        law = fit_by_grid(
            shares, losses, num_constants=settings["num_constants"], huber=settings["huber"]
        )
        rows.append([step, "paper", law.share_at(goal), np.nan, np.nan])
        ours = critical_proportion(shares, losses, goal, noise=noise, redraws=redraws)
        rows.append([step, "ours", ours.value, ours.lower, ours.upper])
        rows += [[step, form, value, np.nan, np.nan] for form, value in ours.by_form.items()]
    return pd.DataFrame(rows, columns=["step", "procedure", "value", "lower", "upper"])


def share_laws(swarm: Swarm, settings: Settings) -> pd.DataFrame:
    """Return the laws of both domains as functions of the share, at the last step.

    Columns: domain, form, share, loss. The curves are fitted without the held-out run.
    """
    curves = continual_curves(swarm, settings)
    last = curves[(curves["step"] == settings["steps"][-1])]
    return pd.DataFrame(
        row
        for domain, part in last.groupby("domain")
        for row in _law_rows(str(domain), part, settings)
    )


def _law_rows(
    domain: str, part: pd.DataFrame, settings: Settings
) -> Iterator[dict[str, str | float]]:
    fitted = part[part["mixture"] != settings["held_out"]]
    shares = fitted["share"].to_numpy()
    own = shares if domain == "original" else 1 - shares
    grid = np.linspace(shares.min(), shares.max(), 60)
    for form in FORMS:
        law = fit_share_law(form, own, fitted["loss"].to_numpy())
        losses = law(grid if domain == "original" else 1 - grid)
        for share, loss in zip(grid, losses, strict=True):
            yield {"domain": domain, "form": form, "share": share, "loss": loss}


def continual_record(swarm: Swarm, settings: Settings) -> dict[str, dict[str, float]]:
    """Return the base model's losses and the errors at the held-out run, by domain."""
    return {
        "base_losses": base_losses(swarm, settings),
        "held_out_errors": held_out_errors(swarm, settings),
    }


def held_out_errors(swarm: Swarm, settings: Settings) -> dict[str, float]:
    """Return predicted minus observed loss of the held-out run, by domain (exponential form)."""
    last = continual_curves(swarm, settings)
    last = last[last["step"] == settings["steps"][-1]]
    errors = {}
    for domain, part in last.groupby("domain"):
        held_out = part["mixture"] == settings["held_out"]
        own = part["share"] if domain == "original" else 1 - part["share"]
        law = fit_share_law(
            "exponential", own[~held_out].to_numpy(), part.loc[~held_out, "loss"].to_numpy()
        )
        predicted = float(law(own[held_out].to_numpy())[0])
        errors[str(domain)] = predicted - float(part.loc[held_out, "loss"].iloc[0])
    return errors
