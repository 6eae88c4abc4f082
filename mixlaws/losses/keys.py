"""Complete the keys of imported losses: size, N, mixture, seed, step and tokens of every row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mixlaws.errors import DataError
from mixlaws.losses.counts import parse_count
from mixlaws.losses.raw import Raw, places
from mixlaws.presentation import format_count

NUMBERS = ("num_params", "compute_params", "seed", "step", "tokens", "loss")
DIGESTS = ("tokenizer_digest", "validation_digest", "domains_digest")
"""Optional columns that say on what a run was trained and measured; runs that differ in one of them
are not fitted together."""
IGNORED = ("accuracy", "bits_per_byte")
"""Columns of our own loss files that the laws do not use."""
COLUMNS = (*NUMBERS, "run", "mixture", "size", "validation_domain", *DIGESTS, *IGNORED)
"""Every column that a loss table in long form may have."""


def add_keys(raw: Raw, options: Mapping[str, Any]) -> pd.DataFrame:
    """Return the losses with size, num_params, mixture, seed, step and tokens filled in.

    Raises DataError that lists every missing column and unknown size.
    """
    table, problems = raw.losses.copy(deep=False), list(raw.problems)
    if table.empty:
        problems.append(f"{raw.losses_name}: there is no row below the header. Add the losses")
    if unknown := [name for name in map(str, table) if name not in COLUMNS]:
        problems.append(_unknown_columns(raw, unknown))
    if "mixture" not in table:
        if "run" in table:
            table["mixture"] = table["run"]
        else:
            problems.append(f"{raw.losses_name}: no column mixture or run names the mixture")
    for name in ("validation_domain", "loss"):
        if name not in table:
            problems.append(f"{raw.losses_name}: there is no column {name}")
    problems += _add_sizes(table, raw, options)
    problems += _add_tokens(table, raw, options)
    if "seed" not in table:
        table["seed"] = 0.0
    if problems:
        raise import_error(raw, problems)
    if blank := list(_blank_cells(table, raw)):
        raise import_error(raw, blank)
    return table.astype({"seed": "int64", "step": "int64", "tokens": "float64"})


def import_error(raw: Raw, problems: list[str]) -> DataError:
    """Return the error that lists all problems of the two tables."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    names = " and ".join(dict.fromkeys((raw.losses_name, raw.mixtures_name)))
    return DataError("\n".join([f"{names}: {count}", *(f"  - {each}" for each in problems)]))


_OTHER_UNITS = {
    "perplexity": ("perplexity", "ppl"),
    "bits": ("bits_per_byte", "bpb", "bits_per_token", "bits"),
}


def _unknown_columns(raw: Raw, unknown: list[str]) -> str:
    units = {name: unit for unit, names in _OTHER_UNITS.items() for name in names}
    if hit := next((name for name in unknown if name.lower() in units), None):
        return (
            f"{raw.losses_name}: the column {hit} is not a loss in nats per token. Name the column "
            f"loss, and say losses.unit: {units[hit.lower()]} if it is one per token"
        )
    return (
        f"{raw.losses_name}: unknown columns {', '.join(unknown)}. Remove them, or see "
        "losses.loss_columns if they hold losses"
    )


def _add_sizes(table: pd.DataFrame, raw: Raw, options: Mapping[str, Any]) -> list[str]:
    """Add size and num_params; return what is wrong with them."""
    if "size" not in table:
        if "num_params" in table:
            table["size"] = _labels(table["num_params"])
        elif (size := options.get("size")) is not None:
            label = size if isinstance(size, str) else format_count(size)
            table["size"] = pd.Categorical([label]).take(np.zeros(len(table), dtype=int))
            if not isinstance(size, str):
                table["num_params"] = float(size)
        else:
            return [
                f"{raw.losses_name}: no column size or num_params states the size of the models. "
                "Add one, or state losses.size (--size 1B)"
            ]
    if "num_params" not in table:
        table["size"] = table["size"].astype("category")
        labels = list(table["size"].cat.categories)
        stated = options.get("sizes", {})
        found = {each: stated.get(each, parse_count(each)) for each in labels}
        if unknown := [each for each, count in found.items() if count is None]:
            return [
                f"{raw.losses_name}: no parameters are known of the sizes {', '.join(unknown)}. "
                "Add a column num_params, or state them in losses.sizes"
            ]
        counts = np.array([found[each] for each in labels], dtype=float)
        table["num_params"] = counts[table["size"].cat.codes.to_numpy()]
    table["size"] = table["size"].astype("category")
    several = table.groupby("size", observed=True)["num_params"].nunique()
    return [
        f"{raw.losses_name}: the size {size} has {count} different num_params. Give each its label"
        for size, count in several[several > 1].items()
    ]


def _labels(counts: pd.Series) -> pd.Series:
    """Return a label for each number of parameters: 70M, or all digits if two would be alike."""
    labels = {count: format_count(count) for count in counts.dropna().unique()}
    if len(set(labels.values())) < len(labels):
        labels = {count: f"{count:.0f}" for count in labels}
    return counts.map(labels).astype("category")


def _add_tokens(table: pd.DataFrame, raw: Raw, options: Mapping[str, Any]) -> list[str]:
    """Add step and tokens; return what is wrong with them."""
    per_step, tokens = options.get("tokens_per_step"), options.get("tokens")
    if "tokens" not in table:
        if "step" in table and per_step:
            table["tokens"] = table["step"] * float(per_step)
        elif tokens and ("step" not in table or table["step"].nunique() == 1):
            table["tokens"] = float(tokens)
        elif "step" in table:
            return [
                f"{raw.losses_name}: there is a column step and none of tokens. State "
                "losses.tokens_per_step (--tokens-per-step)"
            ]
        else:
            return [
                f"{raw.losses_name}: no column tokens or step says when a loss was measured. Add "
                "one, or state losses.tokens (--tokens 100B)"
            ]
    if "step" not in table:
        table["step"] = (table["tokens"] / float(per_step or 1)).round()
    return []


_MOST = 2.0**62
"""Larger counts fit into no integer."""


def _blank_cells(table: pd.DataFrame, raw: Raw) -> list[str]:
    named = ["mixture", "size", "validation_domain", "seed", "tokens", "num_params"]
    if table["tokens"].notna().all():  # else the step is perhaps made of the tokens
        named.append("step")
    found = [(name, table.index[table[name].isna()]) for name in named]
    found += [
        (name, table.index[~((table[name] > 0) & (table[name] <= _MOST)) & table[name].notna()])
        for name in ("tokens", "num_params")
    ]
    found += [
        (name, table.index[(table[name].abs() > _MOST)])
        for name in ("step", "seed")
        if name in named
    ]
    return [
        f"{raw.losses_name}: {name} is missing, not above 0 or not finite ({places(rows)}). "
        "Correct the cells"
        for name, rows in found
        if len(rows)
    ]
