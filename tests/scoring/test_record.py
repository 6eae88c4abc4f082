"""What choice.json says of the ranks."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from planted import planted_observations

from mixlaws.laws.observations import Target
from mixlaws.laws.overall import Columns
from mixlaws.losses.experiment import Experiment
from mixlaws.scoring.folds import FoldResult, last_losses
from mixlaws.scoring.record import rank_record


def test_the_scale_at_which_ranks_were_checked_stands_beside_the_target() -> None:
    runs = planted_observations(num_mixtures=6)
    columns = Columns(runs.validation_domains, np.full(4, 0.25))
    experiment = Experiment(runs, ("mix-005",), {}, (), columns, Target(4e8, 4e8, 8e8, 8e8), {}, {})
    table = last_losses(experiment.fitted, "L")
    order = np.argsort(np.argsort(table.losses.mean(axis=1)))
    predicted = np.repeat(order[:, None].astype(float), 4, axis=1)
    fold = FoldResult(
        "additive", "k-fold", "L", table.tokens, table.mixtures, table.losses, predicted
    )
    other = replace(fold, fold="held-out", predicted=-predicted)
    scored = SimpleNamespace(choice=SimpleNamespace(mixing="additive"), mixture_folds=[other, fold])
    assert rank_record(scored, experiment) == {
        "size": "L",
        "num_params": 4e6,
        "tokens": 8e6,
        "num_mixtures": 5,
        "spearman": pytest.approx(1.0),
        "size_factor": 100.0,
        "token_factor": 100.0,
    }
    level = replace(fold, predicted=np.ones((5, 4)))
    scored = SimpleNamespace(choice=scored.choice, mixture_folds=[level])
    assert rank_record(scored, experiment)["spearman"] is None
