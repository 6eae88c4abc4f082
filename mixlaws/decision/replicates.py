"""replicates.parquet: the parameters of the law refitted to each resample, as a tidy table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mixlaws.errors import DataError
from mixlaws.laws.files import FittedLaw, as_one, exact_parameters, law_of
from mixlaws.laws.law import Law, members
from mixlaws.tables import read_table, write_table

COLUMNS = ("replicate", "law", "validation_domain", "parameter", "domain", "value")


def write_replicates(laws: Sequence[Law], fitted: FittedLaw, path: str | Path) -> None:
    """Write one row per replicate, law, parameter, validation domain and, if it has one, domain.

    `laws` are the replicates of `fitted`; parameters are named as in law.json.
    """
    rows, domains = np.array(fitted.columns.validation_domains), np.array(fitted.domains)
    parts: list[list[np.ndarray]] = []
    for number, replicate in enumerate(laws):
        for law in members(replicate):
            for name, values in exact_parameters(law).items():
                inner = domains if values.ndim == 2 else np.array([""])
                size = values.size
                parts.append(
                    [
                        np.full(size, number),
                        np.full(size, law.name),
                        np.repeat(rows, len(inner)),
                        np.full(size, name),
                        np.tile(inner, len(rows)),
                        values.ravel(),
                    ]
                )
    columns = zip(*parts, strict=True)
    table = pd.DataFrame({name: np.concatenate(next(columns)) for name in COLUMNS})
    labels = list(COLUMNS[1:-1])
    write_table(table.astype(dict.fromkeys(labels, "category")), path)


def read_replicates(path: str | Path, fitted: FittedLaw) -> tuple[Law, ...]:
    """Return the laws that `write_replicates` wrote for a fitted law.

    Raises DataError when a parameter of a replicate is missing.
    """
    table = read_table(path, COLUMNS)
    number = int(table["replicate"].max()) + 1
    by_law = [
        _laws_of(law.name, table[table["law"] == law.name], fitted, number)
        for law in members(fitted.law)
    ]
    return tuple(as_one(fitted.pipeline, list(laws)) for laws in zip(*by_law, strict=True))


def _laws_of(name: str, table: pd.DataFrame, fitted: FittedLaw, number: int) -> list[Law]:
    """Return the law of one name in every replicate."""
    rows, domains = fitted.columns.validation_domains, fitted.domains
    values = {
        str(parameter): _array(part, rows, domains, number)
        for parameter, part in table.groupby("parameter", observed=True)
    }
    if not values or any(np.isnan(each).any() for each in values.values()):
        raise DataError(
            f"the replicates of the law {name} are incomplete: some parameters are missing. "
            "Delete replicates.parquet and rerun find_optimum"
        )
    return [
        law_of(name, {k: each[place] for k, each in values.items()}, domains, rows, fitted.target)
        for place in range(number)
    ]


def _array(
    part: pd.DataFrame, rows: tuple[str, ...], domains: tuple[str, ...], number: int
) -> np.ndarray:
    """Return one parameter as (B, V) or (B, V, K), nan where it is missing."""
    is_scalar = bool((part["domain"].astype(str) == "").all())
    inner = ("",) if is_scalar else domains
    row = pd.Index(rows).get_indexer(pd.Index(part["validation_domain"].astype(str)))
    column = pd.Index(inner).get_indexer(pd.Index(part["domain"].astype(str)))
    known = (row >= 0) & (column >= 0)
    values = np.full((number, len(rows), len(inner)), np.nan)
    values[part["replicate"][known], row[known], column[known]] = part["value"][known]
    return values[..., 0] if is_scalar else values
