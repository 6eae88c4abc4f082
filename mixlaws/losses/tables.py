"""The loss, run and mixture tables: their schema, and the checks of reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixlaws.errors import DataError
from mixlaws.mixtures.lattice import Mixture
from mixlaws.tables import read_table

LOSS_COLUMNS = (
    "size",
    "mixture",
    "seed",
    "step",
    "tokens",
    "validation_domain",
    "loss",
    "accuracy",
    "bits_per_byte",
)
RUN_KEY = ["size", "mixture", "seed"]
SCHEDULE_COLUMNS = ["schedule", "warmup_steps", "schedule_horizon", "final_rate", "decay_share"]
RUN_COLUMNS = (
    *RUN_KEY,
    "num_layers",
    "model_width",
    "num_heads",
    "num_params",
    "vocabulary_size",
    "flops_per_token",
    "schedule",
    "warmup_steps",
    "schedule_horizon",
    "final_rate",
    "decay_share",
    "batch_tokens",
    "num_steps",
    "tokens",
    "flops",
    "training_version",
)


def read_losses(path: str | Path) -> pd.DataFrame:
    """Read a loss table; raise DataError on repeated keys or a loss that is no number."""
    table = read_table(path, LOSS_COLUMNS[:7])
    key = [*RUN_KEY, "step", "validation_domain"]
    if repeated := int(table.duplicated(key).sum()):
        raise DataError(f"{path} must hold each of {key} once, but {repeated} rows repeat one")
    if bad := int((~np.isfinite(table["loss"])).sum()):
        raise DataError(
            f"{path} must hold finite losses, but {bad} rows are not: see those runs' logs"
        )
    return table


def mixture_table(mixtures: Sequence[Mixture]) -> pd.DataFrame:
    """Return one row a mixture: id, kind, r_<domain>..."""
    rows = [
        {"id": m.id, "kind": m.kind} | {f"r_{d}": r for d, r in m.proportions.items()}
        for m in mixtures
    ]
    return pd.DataFrame(rows)


def loss_rows(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the rows that a run measured as a loss table."""
    return pd.DataFrame(list(rows))[list(LOSS_COLUMNS)]
