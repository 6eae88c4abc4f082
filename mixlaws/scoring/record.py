"""What the folds found, as scores.csv, predictions.csv and choice.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixlaws.files import read_json, write_json
from mixlaws.laws.mixing.fit import fit_mixing_law
from mixlaws.laws.overall import Columns
from mixlaws.losses.experiment import Experiment, open_experiment
from mixlaws.results import HELD_OUT, K_FOLD, LEAVE_ONE_MIXTURE_OUT
from mixlaws.scoring.choice import LawChoice, Scored, choose_laws
from mixlaws.scoring.distance_folds import FoldPrediction
from mixlaws.scoring.folds import FoldResult, last_losses
from mixlaws.scoring.forward import COVERAGE_LEVEL
from mixlaws.scoring.held_out import with_held_out_interval
from mixlaws.scoring.scores import PredictedLosses, fold_predictions, prediction_rows, score_rows
from mixlaws.tables import write_table


def score_laws(
    inputs: Mapping[str, str], outputs: Mapping[str, str], settings: Mapping[str, Any]
) -> None:
    """Choose the laws by folds and score every candidate on what it was not fitted to.

    Reads losses, runs and mixtures; writes scores, predictions and choice. `settings` are the
    config's laws, target and weights.
    """
    experiment = open_tables(inputs, settings)
    scored = choose_laws(
        experiment.observations,
        experiment.held_out,
        target=experiment.target,
        columns=experiment.columns,
        options=settings["laws"],
    )
    write_table(score_table(scored, experiment.columns), outputs["scores"])
    write_table(prediction_table(scored, experiment), outputs["predictions"])
    write_json(choice_record(scored, experiment), outputs["choice"])


def open_tables(inputs: Mapping[str, str], settings: Mapping[str, Any]) -> Experiment:
    """Open an experiment from a stage's inputs and settings.

    `settings` may hold the sweep (`planned`, as `Sweep.keys` gives it); imported losses have none.
    """
    return open_experiment(
        inputs["losses"],
        inputs["runs"],
        inputs["mixtures"],
        target=settings["target"],
        weights=settings["weights"],
        planned=settings.get("planned"),
    )


def score_table(scored: Scored, columns: Columns) -> pd.DataFrame:
    """Return every candidate's scores on every fold; `decides` marks what was chosen."""
    rows = score_rows(scored.mixture_folds, columns, decides=scored.choice.mixing)
    forward = [_as_result(each) for each in scored.forward.predictions.found]
    rows += score_rows(forward, columns, decides=scored.choice.pipeline)
    return pd.DataFrame(rows)


def _as_result(prediction: FoldPrediction) -> FoldResult:
    """Return a forward prediction in the form that is scored."""
    return FoldResult(
        law=prediction.pipeline,
        fold=prediction.fold.name,
        size=prediction.size,
        tokens=prediction.tokens,
        mixtures=prediction.mixtures,
        observed=prediction.observed[:, :-1],
        predicted=prediction.predicted[:, :-1],
    )


def prediction_table(scored: Scored, experiment: Experiment) -> pd.DataFrame:
    """Return the predictions of the mixing law that decides: of unseen mixtures, and in-sample.

    Those of held-out mixtures have intervals.
    """
    law = scored.choice.mixing
    kinds = (LEAVE_ONE_MIXTURE_OUT, K_FOLD, HELD_OUT)
    folds = [f for f in scored.mixture_folds if f.law == law and f.size != "target"]
    predictions = [
        with_held_out_interval(fold_predictions(fold), folds, experiment.columns)
        for fold in folds
        if fold.fold in kinds
    ]
    sizes = np.unique(experiment.observations.size)
    predictions += [_in_sample(law, experiment, str(size)) for size in sizes]
    rows = [row for each in predictions for row in prediction_rows(each, experiment.columns)]
    return pd.DataFrame(rows)


def _in_sample(law: str, experiment: Experiment, size: str) -> PredictedLosses:
    """Return what the law gives back of the losses that it was fitted to."""
    table = last_losses(experiment.fitted, size)
    fitted, _ = fit_mixing_law(law, table.proportions, table.losses)
    predicted = fitted.predict(table.proportions)
    return PredictedLosses(law, "fitted", size, table.tokens, table.mixtures, predicted)


def choice_record(scored: Scored, experiment: Experiment) -> dict[str, Any]:
    """Return the choice as one JSON record."""
    names = experiment.columns.names
    forward, found = scored.forward, scored.forward.choice
    size, tokens = found.levels.measured
    return asdict(scored.choice) | {
        "distance": experiment.distance(),
        "folds": [asdict(row) for row in found.table],
        "expected": found.expected,
        "failed": found.failed,
        "measured": {"larger sizes": size, "later steps": tokens},
        "fold_coverage": {
            "level": COVERAGE_LEVEL,
            "observed": None if np.isnan(forward.coverage) else forward.coverage,
        },
        "ranks": rank_record(scored, experiment),
        "uncertainty": forward.uncertainty.record(),
        "difference_growth": {
            "domains": list(found.differences.domains),
            "overall": list(found.differences.overall),
        },
        "joint_folds": [asdict(score) for score in scored.joint_folds],
        "validation_domains": list(names),
    }


def rank_record(scored: Scored, experiment: Experiment) -> dict[str, Any]:
    """Return at which scale the order of unseen mixtures was checked, and how well it was met.

    Of the mixing law that decides, at the largest size: its rank correlation of the overall loss
    (None if equal predictions or too few mixtures leave it open), and the target's N and D over
    those of this check. A gain in rank on small models need not hold on larger ones.
    """
    fitted = experiment.fitted
    num_params = fitted.num_params.max()
    size = str(fitted.size[np.argmax(fitted.num_params)])
    found = next(
        each
        for each in scored.mixture_folds
        if (each.law, each.size) == (scored.choice.mixing, size) and each.fold != HELD_OUT
    )
    spearman = score_rows([found], experiment.columns, decides=found.law)[-1]["spearman"]
    return {
        "size": size,
        "num_params": float(num_params),
        "tokens": found.tokens,
        "num_mixtures": len(found.mixtures),
        "spearman": None if np.isnan(spearman) else spearman,
        "size_factor": experiment.target.num_params / float(num_params),
        "token_factor": experiment.target.tokens / found.tokens,
    }


def read_choice(path: str | Path) -> tuple[LawChoice, dict[str, Any]]:
    """Return the choice that choice_record wrote, and the record of its uncertainty."""
    record = read_json(path)
    fields = ("pipeline", "mixing", "early_cut", "joint", "reasons")
    return LawChoice(**{name: record[name] for name in fields}), record["uncertainty"]
