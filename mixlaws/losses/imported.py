"""From raw tables to a checked swarm, with a record of what was changed on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mixlaws.losses.checks import Checked, check_losses
from mixlaws.losses.keys import add_keys, import_error
from mixlaws.losses.mixture_checks import check_shares
from mixlaws.losses.raw import Raw
from mixlaws.losses.shares import EXACT, rescaled, sum_tolerance
from mixlaws.losses.swarm import DROPPED_COLUMNS, Swarm
from mixlaws.losses.tables import LOSS_KEY, RUN_KEY, share_columns
from mixlaws.results import BASELINE, NAMED
from mixlaws.runs.schedules import schedule_options


def make_swarm(raw: Raw, options: Mapping[str, Any]) -> Swarm:
    """Return the swarm of raw tables; `options` are the config's `losses`.

    Raises DataError that lists everything that is wrong, with its lines.
    """
    table = add_keys(raw, options)
    tolerance = sum_tolerance(len(raw.domains), raw.digits)
    found = check_losses(table, raw, options)
    if problems := [*found.problems, *check_shares(raw, tolerance)]:
        raise import_error(raw, problems)
    losses = _losses(found.table)
    mixtures = _mixtures(raw, found)
    _remark_on_spelling(raw, found)
    dropped = pd.concat(found.dropped) if found.dropped else pd.DataFrame(columns=DROPPED_COLUMNS)
    return Swarm(
        losses=losses,
        runs=_runs(found.table, options),
        mixtures=mixtures,
        dropped=dropped.reset_index(drop=True),
        remarks=tuple(found.remarks),
    )


def _losses(table: pd.DataFrame) -> pd.DataFrame:
    """Return the long table, sorted; validation domains keep the order of their first row."""
    columns = [*RUN_KEY, "step", "tokens", "validation_domain", "loss"]
    domains = table["validation_domain"].drop_duplicates().astype(str)
    order = pd.CategoricalDtype(list(domains), ordered=True)
    kept = table[columns].astype({"size": str, "mixture": str})
    kept["validation_domain"] = kept["validation_domain"].astype(str).astype(order)
    kept = kept.sort_values(LOSS_KEY, ignore_index=True)
    return kept.astype({"validation_domain": str})


def _mixtures(raw: Raw, found: Checked) -> pd.DataFrame:
    """Return the mixtures that have losses, and baselines, named or not; sums are exactly 1."""
    used = raw.mixtures["id"].isin(found.table["mixture"].astype(str).unique())
    kinds = raw.mixtures.get("kind", pd.Series("sample", index=raw.mixtures.index))
    table = raw.mixtures[used | kinds.isin([BASELINE, NAMED])]
    shares, errors = rescaled(table[raw.domains].to_numpy(dtype=float))
    if (off := np.abs(errors) > EXACT).any():
        found.remarks.append(
            f"The shares of {off.sum():,} of {len(table):,} mixtures were rounded and are rescaled "
            f"to sum to 1; the largest error of a sum was {np.abs(errors).max():.4g}."
        )
    columns = {"id": table["id"], "kind": kinds[table.index], "phase": 0, "until_tokens": None}
    named = pd.DataFrame(shares, columns=share_columns(raw.domains), index=table.index)
    return pd.concat([pd.DataFrame(columns), named], axis=1).reset_index(drop=True)


def _remark_on_spelling(raw: Raw, found: Checked) -> None:
    """Say which names of the two tables differ in spelling alone: they count as two domains."""
    plain = {_plain(name): name for name in raw.domains}
    measured = found.table["validation_domain"].astype(str).unique()
    pairs = [
        f"{name} and {plain[_plain(name)]}"
        for name in measured
        if _plain(name) in plain and name not in raw.domains
    ]
    if pairs:
        found.remarks.append(
            f"Differently spelled in the two tables, and taken for different domains: "
            f"{', '.join(pairs)}."
        )


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _runs(table: pd.DataFrame, options: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per run: N, compute-equivalent N where stated, length and schedule."""
    groups = table.groupby(RUN_KEY, observed=True)
    runs = groups[["num_params", "step", "tokens"]].max().reset_index()
    runs = runs.rename(columns={"step": "num_steps"}).astype({"size": str, "mixture": str})
    if "compute_params" in table:
        runs["compute_params"] = groups["compute_params"].max().to_numpy()
    elif stated := options.get("compute_params"):
        known = runs["size"].map(stated)
        if known.notna().all():
            runs["compute_params"] = known.astype(float)
    if schedule := schedule_options(options.get("schedule")):
        per_step = options.get("tokens_per_step")
        runs["batch_tokens"] = per_step or (runs["tokens"] / runs["num_steps"])
        runs = runs.assign(**schedule)
    return runs.sort_values(RUN_KEY, ignore_index=True)
