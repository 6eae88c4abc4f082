"""Readers of what loggers write while a model trains: one file or folder per run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mixlaws.errors import DataError
from mixlaws.losses.imported import make_swarm
from mixlaws.losses.raw import read_columns
from mixlaws.losses.readers.tables import Match, column_matcher, with_mixtures
from mixlaws.losses.run_files import FIELDS, find_runs
from mixlaws.losses.swarm import Swarm

Rows = Iterator[tuple[int, str, float]]
"""(step, metric, value)."""


def read_csv_logger(options: Mapping[str, Any], files: Mapping[str, Path]) -> Swarm:
    """Read the metrics.csv that Lightning's CSVLogger writes for each run.

    Its rows hold the metrics of one step each, the others empty. `files["losses"]` is the path of
    a metrics.csv with {run}, {mixture}, {size} or {seed} in place of what names the run.
    """
    return _read_runs(options, files, _csv_rows)


def read_tensorboard(options: Mapping[str, Any], files: Mapping[str, Path]) -> Swarm:
    """Read TensorBoard's event files of each run.

    `files["losses"]` is the path of an event file, or of a folder with such files, with {run},
    {mixture}, {size} or {seed} in place of what names the run. Needs the package tensorboard.
    """
    return _read_runs(options, files, _event_rows)


def _read_runs(
    options: Mapping[str, Any],
    files: Mapping[str, Path],
    read: Callable[[Path, Match], Rows],
) -> Swarm:
    match, template = column_matcher(options["loss_columns"]), str(files["losses"])
    tables = []
    for path, fields in find_runs(template):
        rows = pd.DataFrame(read(path, match), columns=["step", "validation_domain", "loss"])
        if rows.empty:
            raise DataError(
                f"{path} has no losses {options['loss_columns']}. Say which metrics are losses "
                "with losses.loss_columns (--loss-columns), or leave the run out of the path"
            )
        tables.append(rows.assign(**fields))
    losses = pd.concat(tables, ignore_index=True).rename_axis("row")
    losses.index += 1
    text = [name for name in ("validation_domain", *FIELDS) if name in losses and name != "seed"]
    losses = losses.astype(dict.fromkeys(text, "category"))
    if "seed" in losses:
        losses["seed"] = losses["seed"].astype(float)
    return make_swarm(with_mixtures(losses, [], files), options)


def _csv_rows(path: Path, match: Match) -> Rows:
    table, problems = read_columns(path, lambda name: name == "step" or match(name) is not None)
    if problems or "step" not in table:
        raise DataError(f"{path} is no metrics.csv of CSVLogger: {problems or 'no column step'}")
    for name in map(str, table):
        domain = match(name)
        if domain is None:
            continue
        here = table[["step", name]].dropna(subset=["step", name])
        for step, loss in here.itertuples(index=False):
            yield int(step), domain, loss


def _event_rows(path: Path, match: Match) -> Rows:
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ModuleNotFoundError as error:
        raise DataError(
            f"{path} holds TensorBoard events, and the package tensorboard is not installed. Run "
            "`pip install tensorboard`"
        ) from error
    # 0 keeps every event; by default each tag is thinned out to 10,000.
    events = EventAccumulator(str(path), size_guidance={"scalars": 0, "tensors": 0}).Reload()
    for tag in events.Tags()["scalars"]:
        if (domain := match(tag)) is not None:
            for event in events.Scalars(tag):
                yield event.step, domain, event.value
