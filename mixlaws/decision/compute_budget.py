"""From an experiment's tables to budget.json: size and tokens, and both with the mixture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mixlaws.decision.budget import Question, answer_budget
from mixlaws.decision.counting import COUNTED, Sizes
from mixlaws.decision.decide import make_objective
from mixlaws.decision.joint_budget import LimitsAt, Search, choose_together
from mixlaws.decision.limits import make_decision_limits
from mixlaws.decision.replicates import read_replicates
from mixlaws.errors import FitError
from mixlaws.files import write_json
from mixlaws.laws.files import load_fitted
from mixlaws.laws.law import Law
from mixlaws.laws.pipelines import Joint, Pipeline
from mixlaws.losses.experiment import Experiment, supply
from mixlaws.scoring.record import open_tables, read_choice
from mixlaws.tables import write_table


def divide_budget(
    inputs: Mapping[str, str], outputs: Mapping[str, str], settings: Mapping[str, Any]
) -> None:
    """Find the best size and tokens for the FLOPs of the config's `compute_budget`.

    Reads losses, runs, mixtures, accounting, choice, law and replicates; writes budget and isoflop.
    `settings` are those of `find_optimum` with compute_budget. Imported losses have no accounting.
    """
    record, curves = answer(inputs, settings)
    write_json(record, outputs["budget"])
    write_table(curves, outputs["isoflop"])


def answer(
    inputs: Mapping[str, str], settings: Mapping[str, Any]
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return what `divide_budget` writes."""
    experiment = open_tables(inputs, settings)
    choice, _ = read_choice(inputs["choice"])
    question = make_question(settings, choice.early_cut)
    record, curves = answer_budget(
        experiment.fitted,
        experiment.columns,
        experiment.target,
        question,
        list(experiment.baselines),
    )
    replicates: Sequence[Law] = ()
    if choice.pipeline == Joint.name:
        fitted = load_fitted(Path(inputs["law"]).parent)
        replicates = read_replicates(inputs["replicates"], fitted)
    available = supply(
        settings["available_tokens"], inputs.get("accounting"), settings["measured_factor"]
    )
    pipeline = choice.pipelines().get(Joint.name)
    joint = answer_together(
        experiment, pipeline, question, settings["optimum"], (available, replicates)
    )
    return record | {"joint": joint}, curves


def make_question(settings: Mapping[str, Any], early_cut: float) -> Question:
    """Return the question that a config's compute_budget, uncertainty and seed ask."""
    asked, uncertainty = settings["compute_budget"], settings["uncertainty"]
    return Question(
        flops=float(asked["flops"]),
        mixture=asked["mixture"],
        count=asked["count"],
        level=uncertainty["level"],
        replicates=uncertainty["replicates"],
        seed=settings["seed"],
        early_cut=early_cut,
    )


def answer_together(
    experiment: Experiment,
    pipeline: Pipeline | None,
    question: Question,
    options: Mapping[str, Any],
    limited: tuple[Mapping[str, float | None], Sequence[Law]],
) -> dict[str, Any]:
    """Return the best size, tokens and mixture by joint laws.

    `options` are the config's `optimum`; `limited` are the tokens of each domain that the target
    may draw from (None: no limit) and the joint laws of the bootstrap, if there are any. Where a
    limit binds, `unlimited` is the answer with as much text as wanted.
    """
    if not isinstance(pipeline, Joint):
        return {"reason": "The runs do not support joint laws in size, tokens and mixture."}
    available, replicates = limited
    observations, domains = experiment.fitted, experiment.fitted.domains

    def limits(tokens: Mapping[str, float | None]) -> LimitsAt:
        return lambda count: make_decision_limits(domains, options, tokens, count)

    try:
        law = pipeline.fit(observations, experiment.target)
    except FitError as error:
        return {"reason": f"Joint laws cannot be fitted: {error}."}
    search = make_search(experiment, law, question, options)
    found = choose_together(
        search, limits(available), observations, replicates=replicates, level=question.level
    )
    if found.get("uses_all_text") or found.get("at_limit"):
        free = choose_together(
            search, limits({}), observations, replicates=(), level=question.level
        )
        found["unlimited"] = free
    return found


def make_search(
    experiment: Experiment, law: Law, question: Question, options: Mapping[str, Any]
) -> Search:
    """Return the search for the best size, tokens and mixture by joint laws."""
    observations, target = experiment.fitted, experiment.target
    return Search(
        law,
        target,
        question.flops,
        Sizes.of(observations, target, question.count),
        Sizes.of(observations, target, COUNTED),
        make_objective(experiment.columns, options, experiment.baselines),
    )
