"""From the fitted law to optimum.json, with the tables that are computed beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mixlaws.decision.bootstrap import Sampling
from mixlaws.decision.decide import Evidence, decide_mixture, gather_evidence
from mixlaws.decision.reducible import reducible_loss
from mixlaws.decision.replicates import write_replicates
from mixlaws.decision.savings import saved_tokens, token_curve
from mixlaws.decision.support import Reach, assess_support
from mixlaws.decision.surface import interaction_table, surface_table
from mixlaws.files import write_json
from mixlaws.laws.files import FittedLaw, load_fitted
from mixlaws.losses.experiment import supply
from mixlaws.scoring.record import open_tables, read_choice
from mixlaws.tables import read_table, write_table


def find_optimum(
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    settings: Mapping[str, Any],
    *,
    processes: int = 1,
) -> None:
    """Find the best mixture at the target, with intervals, beside its baselines.

    Reads losses, runs, mixtures, accounting, choice, law, step_law and size_law; writes optimum,
    surface, interaction and replicates. `settings` are the config's target, weights, optimum,
    uncertainty and seed, and the available tokens with the factor for those that were counted.
    Imported losses have no accounting.
    """
    experiment = open_tables(inputs, settings)
    choice, _ = read_choice(inputs["choice"])
    fitted = load_fitted(Path(inputs["law"]).parent)
    uncertainty = settings["uncertainty"]
    sampling = Sampling(uncertainty["replicates"], settings["seed"], processes)
    evidence = gather_evidence(fitted, experiment.fitted, sampling)
    available = supply(
        settings["available_tokens"], inputs.get("accounting"), settings["measured_factor"]
    )
    decision = decide_mixture(
        evidence,
        settings["optimum"],
        target_tokens=experiment.target.tokens,
        available_tokens=available,
        baselines=experiment.baselines,
    )
    decision |= experiment.record()
    best = np.array(list(decision["proportions"].values()))
    curve = token_curve(fitted, experiment.fitted, best)
    for name, saved in saved_tokens(curve, decision["baselines"]).items():
        decision["baselines"][name]["saved_tokens"] = saved
    support = _support(inputs, fitted, evidence, decision, experiment.target_options["size"])
    law = {"support": support, "pipeline": choice.pipeline, "mixing": choice.mixing, **uncertainty}
    write_replicates(evidence.laws.replicates, fitted, outputs["replicates"])
    write_table(surface_table(evidence, decision["proportions"]), outputs["surface"])
    write_table(interaction_table(evidence), outputs["interaction"])
    write_json(decision | law, outputs["optimum"])


def _support(
    inputs: Mapping[str, str],
    fitted: FittedLaw,
    evidence: Evidence,
    decision: Mapping[str, Any],
    size: str,
) -> dict[str, Any]:
    """Return what may be said of the target, whose size has this label."""
    best = np.array(list(decision["proportions"].values()))
    tables = read_table(inputs["step_law"], ("B",)), read_table(inputs["size_law"], ("A",))
    left = reducible_loss(fitted, best, evidence.observations, tables)
    reach = Reach.of(evidence.observations, fitted.target, size)
    return assess_support(decision, evidence, reach, left)
