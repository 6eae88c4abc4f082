"""Readers of files that other tools export: Olmix's two tables, and charts of Weights & Biases.

Their formats are checked against the cited sources; no file that the tools wrote is in the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mixlaws.errors import DataError
from mixlaws.losses.imported import make_swarm
from mixlaws.losses.raw import Raw, read_columns, read_shares
from mixlaws.losses.readers.tables import column_matcher, long_form, with_mixtures
from mixlaws.losses.swarm import Swarm

OLMIX_DIGITS = 2
"""Olmix takes sums within 0.01 of 1 (`load_from_csv`, atol=0.01)."""
_OLMIX_NAMES = ("run_id", "name")


def read_olmix(options: Mapping[str, Any], files: Mapping[str, Path]) -> Swarm:
    """Read Olmix's ratios.csv (`mixtures`) and metrics.csv (`losses`), joined by run_id.

    allenai/olmix at f6e1131a, olmix/fit/loaders.py, load_from_csv: both tables have run_id, may
    have name, and every other column is a domain or a metric. Only the metrics that match
    `loss_columns` are read; the others are not losses.
    """
    match = column_matcher(options["loss_columns"])
    table, problems = read_columns(files["losses"], lambda name: match(name) is not None)
    if "run_id" not in table:
        raise DataError(f"{files['losses']} has no column run_id: it is no metrics.csv of Olmix")
    wanted = [name for name in map(str, table) if match(name) or name == "run_id"]
    losses = long_form(table[wanted], match, files["losses"], options["loss_columns"])
    mixtures, domains, digits, others = read_shares(
        files["mixtures"], id_columns=("run_id",), leave_out=("name",)
    )
    raw = Raw(
        losses=losses.rename(columns={"run_id": "run"}),
        losses_name=files["losses"].name,
        mixtures=mixtures,
        mixtures_name=files["mixtures"].name,
        domains=domains,
        digits=digits,
        problems=[*problems, *others],
    )
    return make_swarm(raw, options)


_RANGES = ("__MIN", "__MAX")
_SEPARATOR = " - "


def read_wandb(options: Mapping[str, Any], files: Mapping[str, Path]) -> Swarm:
    """Read one chart export of Weights & Biases, or several that match a glob, as CSV.

    Its columns are the x axis, `RUN - METRIC`, `RUN - METRIC__MIN` and `RUN - METRIC__MAX`, and
    sometimes `RUN - _step`, as in LauraWenderoth/Bachelorarbeit_Kidney_Stain_Transfer at 12fbf33e,
    graphics/wandb_export_2022-08-25T22_43_23.724+02_00.csv. The x axis must be Step; the names of
    the runs are the mixtures' ids, and the metrics that match `loss_columns` are the losses.
    """
    match = column_matcher(options["loss_columns"])
    pattern = files["losses"]
    paths = sorted(pattern.parent.glob(pattern.name))
    if not paths:
        raise DataError(f"there is no file {pattern}. Correct its path")
    tables, problems = [], []
    for path in paths:
        table, others = read_columns(path, lambda name: name == "Step" or _SEPARATOR in name)
        tables.append(_of_chart(table, match, path))
        problems += others
    losses = pd.concat(tables)
    if losses.empty:
        raise DataError(
            f"{pattern} has no column RUN - {options['loss_columns']}. Say which metrics are "
            "losses with losses.loss_columns (--loss-columns)"
        )
    text = {name: losses[name].astype("category") for name in ("run", "validation_domain")}
    return make_swarm(with_mixtures(losses.assign(**text), problems, files), options)


def _of_chart(table: pd.DataFrame, match: Any, path: Path) -> pd.DataFrame:
    """Return the losses of one export; a run has no value at the steps of the others."""
    if "Step" not in table:
        raise DataError(
            f"{path} has no column Step: its x axis is {next(iter(table), 'missing')}. Export the "
            "chart with Step on the x axis"
        )
    parts = []
    for column in map(str, table):
        run, separator, metric = column.rpartition(_SEPARATOR)
        domain = match(metric) if separator and not metric.endswith(_RANGES) else None
        if domain is None:
            continue
        here = table[["Step", column]].dropna()
        part = here.set_axis(["step", "loss"], axis=1)
        parts.append(part.assign(run=run, validation_domain=domain))
    columns = ["step", "loss", "run", "validation_domain"]
    return pd.concat(parts) if parts else pd.DataFrame(columns=columns)
