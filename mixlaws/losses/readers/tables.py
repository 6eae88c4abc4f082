"""Readers of the documented schema: losses in long form, or with a column per validation domain."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixlaws.errors import DataError
from mixlaws.losses.imported import make_swarm
from mixlaws.losses.keys import COLUMNS, NUMBERS
from mixlaws.losses.raw import Raw, read_columns, read_shares
from mixlaws.losses.swarm import Swarm


def read_long(options: Mapping[str, Any], files: Mapping[str, Path]) -> Swarm:
    """Read losses in long form: one row per run, checkpoint and validation domain."""
    losses, problems = read_columns(files["losses"], NUMBERS.__contains__)
    return make_swarm(with_mixtures(losses, problems, files), options)


def read_wide(options: Mapping[str, Any], files: Mapping[str, Path]) -> Swarm:
    """Read losses with one row per run and checkpoint, and a column per validation domain.

    The columns of losses match `loss_columns`, with * for the validation domain.
    """
    match = column_matcher(options["loss_columns"])
    table, problems = read_columns(
        files["losses"], lambda name: name in NUMBERS or match(name) is not None
    )
    losses = long_form(table, match, files["losses"], options["loss_columns"])
    return make_swarm(with_mixtures(losses, problems, files), options)


def read_auto(options: Mapping[str, Any], files: Mapping[str, Path]) -> Swarm:
    """Read a table in long form if it has the column validation_domain, else in wide form."""
    is_long = "validation_domain" in _column_names(files["losses"])
    read = read_long if is_long else read_wide
    return read(options, files)


def _column_names(path: Path) -> set[str]:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        try:
            return set(pq.read_schema(path).names)
        except (OSError, ValueError):
            return set()
    try:
        return set(pd.read_csv(path, nrows=0).columns)
    except (OSError, ValueError):  # the reader names the damage
        return set()


def with_mixtures(losses: pd.DataFrame, problems: list[str], files: Mapping[str, Path]) -> Raw:
    """Return raw losses together with the table of mixtures."""
    mixtures, domains, digits, others = read_shares(files["mixtures"])
    names = files["losses"].name, files["mixtures"].name
    return Raw(losses, names[0], mixtures, names[1], domains, digits, [*problems, *others])


Match = Callable[[str], str | None]


def column_matcher(pattern: str) -> Match:
    """Return a function from a column's name to its validation domain, None if it has no losses.

    Raises DataError unless the pattern has exactly one *.
    """
    if pattern.count("*") != 1:
        raise DataError(
            f"losses.loss_columns is {pattern!r}: it must have one *, which stands for the "
            "validation domain, as in metric/*_val_loss"
        )
    before, after = map(re.escape, pattern.split("*"))
    expression = re.compile(f"{before}(.+){after}")

    def match(name: str) -> str | None:
        found = expression.fullmatch(name)
        return found[1] if found else None

    return match


def long_form(table: pd.DataFrame, match: Match, path: Path, pattern: str) -> pd.DataFrame:
    """Return a wide table in long form; every row keeps its place. Raises DataError if no column
    matches."""
    domains = {name: match(name) for name in map(str, table)}
    columns = [name for name, domain in domains.items() if domain is not None]
    others = [name for name in domains if domains[name] is None]
    if not columns:
        unknown = [name for name in others if name not in COLUMNS]
        raise DataError(
            f"{path} has no column {pattern}, where losses are expected: it has "
            f"{', '.join(unknown) or 'no other columns'}. Say which columns hold losses with "
            f"losses.loss_columns (--loss-columns), as in '{_common_pattern(unknown)}'"
        )
    rows = np.repeat(np.arange(len(table)), len(columns))
    losses = table[others].take(rows)
    names = [str(domains[name]) for name in columns]
    codes = np.tile(np.arange(len(columns)), len(table))
    return losses.assign(
        validation_domain=pd.Categorical.from_codes(codes, pd.Index(names)),
        loss=table[columns].to_numpy(dtype=float).ravel(),
    )


def _common_pattern(names: Sequence[str]) -> str:
    """Return the pattern of the start and end that names share, for a hint."""
    if len(names) < 2:
        return "loss/*"
    start = _common_start(names)
    end = _common_start([name[len(start) :][::-1] for name in names])[::-1]
    return f"{start}*{end}"


def _common_start(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    length = next((i for i, c in enumerate(first) if last[i : i + 1] != c), len(first))
    return first[:length]
