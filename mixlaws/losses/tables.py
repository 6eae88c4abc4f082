"""The three tables of a swarm: their columns, and the checks on reading one.

losses.parquet: size, mixture, seed, step, tokens, validation_domain, loss (nats per token); our own
runs add accuracy and bits_per_byte.
runs.csv: size, mixture, seed, num_params; where known, the shape, vocabulary_size, flops_per_token,
the schedule with batch_tokens and num_steps, `initial` (digest of the model that the run started
from, or empty) and digests.
mixtures.csv: id, kind (sample, held-out, baseline or named), phase, until_tokens and one column
r_<domain> per domain. A static mixture is one row of phase 0 with an empty until_tokens. The
prefix r_ keeps a domain named `id` or `kind` apart from the other columns.

If a table has no column `seed`, all of its runs have seed 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mixlaws.errors import DataError
from mixlaws.mixtures.lattice import Mixture
from mixlaws.tables import read_table

RUN_KEY = ["size", "mixture", "seed"]
LOSS_KEY = [*RUN_KEY, "step", "validation_domain"]
LOSS_COLUMNS = (
    *RUN_KEY,
    *("step", "tokens", "validation_domain", "loss", "accuracy", "bits_per_byte"),
)
"""Columns of the loss files of our own runs."""
SCHEDULE_COLUMNS = [
    *("schedule", "warmup_steps", "schedule_horizon", "final_rate", "decay_share", "initial_rate")
]
RUN_COLUMNS = (
    *RUN_KEY,
    *("num_layers", "model_width", "num_heads", "num_params", "vocabulary_size"),
    "flops_per_token",
    *SCHEDULE_COLUMNS,
    *("batch_tokens", "num_steps", "tokens", "flops", "training_version"),
)
"""Columns of runs.csv that come from the run.json of our own runs."""
MIXTURE_COLUMNS = ("id", "kind", "phase", "until_tokens")
NAMED = "named"
"""Kind of a mixture that someone chose instead of sampling it."""
_PREFIX = "r_"
MAX_SUM_ERROR = 5e-3
"""Largest rounding error of the sum of published shares (17 shares of three decimals)."""


def read_losses(path: str | Path) -> pd.DataFrame:
    """Read a loss table; raise DataError for repeated keys and losses that are not finite."""
    needed = [name for name in (*LOSS_KEY, "tokens", "loss") if name != "seed"]
    table = _with_seed(read_table(path, needed))
    if repeated := int(table.duplicated(LOSS_KEY).sum()):
        raise DataError(
            f"{repeated} rows of {path} repeat the {', '.join(LOSS_KEY)} of another row. "
            "Keep one of them"
        )
    if bad := int((~np.isfinite(table["loss"])).sum()):
        raise DataError(
            f"{bad} losses in {path} are not finite numbers. See the logs of these runs"
        )
    return table


def read_runs(path: str | Path) -> pd.DataFrame:
    """Read a run table; raise DataError if it or a required column is missing."""
    return _with_seed(read_table(path, ["size", "mixture", "num_params"]))


def read_mixtures(path: str | Path) -> pd.DataFrame:
    """Read a mixture table; raise DataError if it or a required column is missing."""
    return read_table(path, MIXTURE_COLUMNS)


def _with_seed(table: pd.DataFrame) -> pd.DataFrame:
    return table if "seed" in table else table.assign(seed=0)


def share_columns(domains: Iterable[str]) -> list[str]:
    """Return the names of the columns with the shares of these domains."""
    return [_PREFIX + domain for domain in domains]


def domains_of(mixtures: pd.DataFrame) -> tuple[str, ...]:
    """Return the domains of a mixture table, in the order of its columns."""
    names = map(str, mixtures)
    return tuple(name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX))


def mixture_table(mixtures: Sequence[Mixture]) -> pd.DataFrame:
    """Return static mixtures as a table with one row of phase 0 per mixture."""
    rows = [
        {"id": m.id, "kind": m.kind, "phase": 0, "until_tokens": None}
        | {_PREFIX + domain: share for domain, share in m.proportions.items()}
        for m in mixtures
    ]
    return pd.DataFrame(rows)


def rescale_shares(shares: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Return published shares (m, K), which are rounded, rescaled so that each row sums to 1.

    Raises DataError listing the labels of rows whose sum is off by more than rounding.
    """
    sums = shares.sum(axis=1, keepdims=True)
    wrong = np.flatnonzero(np.abs(sums - 1) > MAX_SUM_ERROR).tolist()
    if wrong:
        listed = "; ".join(f"{labels[i]}: {sums[i, 0]:.6g}" for i in wrong)
        raise DataError(
            f"the shares of {len(wrong)} mixtures do not sum to 1 within {MAX_SUM_ERROR}: "
            f"{listed}. Correct these shares"
        )
    return np.asarray(shares / sums)
