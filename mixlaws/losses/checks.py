"""Check imported losses: everything that contradicts itself or looks wrong, with its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mixlaws.losses.keys import DIGESTS
from mixlaws.losses.raw import Raw, places
from mixlaws.losses.swarm import DROPPED_COLUMNS
from mixlaws.losses.tables import LOSS_KEY, RUN_KEY

RISE = 0.02
"""A loss that ends above its start by more than this part of it rises with tokens."""
SPIKE = 0.1
"""A loss above the checkpoints beside it by more than this part of them is a spike."""
HIGHEST_NATS = 12.5
"""ln(262,144): a model that knows nothing of the largest vocabularies has this loss."""
LOWEST_NATS = 1.2
"""Bits per byte lie below it on every text, nats per token only on code and the like."""
CHECKPOINT = [*RUN_KEY, "step", "tokens"]


@dataclass(eq=False)
class Checked:
    """Losses with what was found: problems to refuse them for, and what was changed."""

    table: pd.DataFrame
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    dropped: list[pd.DataFrame] = field(default_factory=list)

    def drop(self, rows: np.ndarray, reason: str) -> None:
        """Leave out rows of a mask, and record their checkpoints."""
        lost = self.table[rows]
        steps = lost.groupby([*RUN_KEY, "step"], observed=True)["validation_domain"].nunique()
        table = steps.rename("num_validation_domains").reset_index()
        run = table["mixture"].astype(str) + "/seed-" + table["seed"].astype(str)
        self.dropped.append(table.assign(run=run, reason=reason)[DROPPED_COLUMNS])
        self.table = self.table[~rows]
        self.remarks.append(
            f"Checkpoints left out because {reason}: {len(table):,}, in runs: "
            f"{len(lost.drop_duplicates(RUN_KEY)):,}."
        )


def check_losses(table: pd.DataFrame, raw: Raw, options: Mapping[str, Any]) -> Checked:
    """Return the losses in nats without what a drop rule leaves out, and all their problems."""
    found = Checked(table)
    _convert_unit(found, raw, options.get("unit"))
    _check_finite(found, raw, options)
    _check_repeated(found, raw)
    _check_digests(found, raw)
    _check_mixtures(found, raw)
    if not found.problems:  # The curves of contradictory rows say nothing.
        _check_complete(found, raw, options)
    if not found.problems:
        _check_curves(found, raw, options)
    return found


def _convert_unit(found: Checked, raw: Raw, unit: str | None) -> None:
    """Convert losses to nats; without a stated unit refuse values that look like another one."""
    loss = found.table["loss"]
    if unit == "bits":
        found.table = found.table.assign(loss=loss * np.log(2))
        found.remarks.append("The losses were in bits per token; they are converted to nats.")
    elif unit == "perplexity":
        with np.errstate(invalid="ignore", divide="ignore"):
            found.table = found.table.assign(loss=np.log(loss))
        found.remarks.append("The losses were perplexities; they are converted to nats.")
    elif unit is None and len(loss):
        medians = found.table.groupby("validation_domain", observed=True)["loss"].median()
        if (medians > HIGHEST_NATS).any():
            listed = ", ".join(f"{name} {value:.4g}" for name, value in medians.items())
            found.problems.append(
                f"{raw.losses_name}: the losses look like perplexity: no vocabulary allows "
                f"{HIGHEST_NATS} nats per token (medians: {listed}). State losses.unit"
            )
        elif len(medians) and (medians < LOWEST_NATS).all():
            found.problems.append(
                f"{raw.losses_name}: the losses are too low for nats per token (median "
                f"{loss.median():.4g}): they look like bits per byte or an accuracy. State "
                "losses.unit: nats if they are right"
            )


def _check_finite(found: Checked, raw: Raw, options: Mapping[str, Any]) -> None:
    loss = found.table["loss"].to_numpy()
    bad = ~(np.isfinite(loss) & (loss > 0))
    if not bad.any():
        return
    if "not_finite" in options.get("drop", ()):
        found.drop(_whole_checkpoints(found.table, bad), "a loss was not a finite number")
        return
    found.problems.append(
        f"{raw.losses_name}: losses must be positive finite numbers, and {bad.sum():,} of "
        f"{len(bad):,} are not ({_where(found.table, bad)}). Correct them, or leave their "
        "checkpoints out with "
        "losses.drop: [not_finite]"
    )


def _check_repeated(found: Checked, raw: Raw) -> None:
    """Refuse several losses for one key; equal rows are put together."""
    table = found.table
    again = table.duplicated(LOSS_KEY, keep=False).to_numpy()
    if not again.any():
        return
    rows = table[again]
    values = [*LOSS_KEY, "tokens", "loss"]
    if "run" in rows and (runs := rows.groupby(RUN_KEY, observed=True)["run"].nunique()).max() > 1:
        size, mixture, seed = runs.index[int(runs.to_numpy().argmax())]
        key = (rows["size"] == size) & (rows["mixture"] == mixture) & (rows["seed"] == seed)
        names = rows.loc[key, "run"].unique().tolist()
        found.problems.append(
            f"{raw.losses_name}: the runs {', '.join(map(str, names))} are all size {size}, "
            f"mixture {mixture}, seed {seed} ({places(rows.index[key])}). Give each run its seed"
        )
        return
    same = rows.duplicated(values, keep=False).to_numpy()
    if not same.all():
        found.problems.append(
            f"{raw.losses_name}: {(~same).sum():,} rows give one size, mixture, seed, step and "
            f"validation domain different losses ({places(rows.index[~same])}). Keep one, or "
            "give them seeds"
        )
        return
    kept = ~table.duplicated(values).to_numpy()
    found.remarks.append(f"Rows that repeat another exactly and count once: {(~kept).sum():,}.")
    found.table = table[kept]


def _check_digests(found: Checked, raw: Raw) -> None:
    for name in DIGESTS:
        if name not in found.table:
            continue
        groups = found.table.groupby(found.table[name].astype(str), observed=True)
        if len(groups) > 1:
            listed = "; ".join(
                f"{digest} ({places(group.index)})" for digest, group in list(groups)[:4]
            )
            found.problems.append(
                f"{raw.losses_name}: the runs have {len(groups)} different {name}s and cannot be "
                f"fitted together: {listed}. Import the runs of one"
            )


def _check_mixtures(found: Checked, raw: Raw) -> None:
    """Compare the mixtures of both tables."""
    known = set(raw.mixtures["id"])
    names = found.table["mixture"].astype("category").cat.categories.astype(str)
    used = set(found.table["mixture"].astype(str).unique())
    if unknown := [name for name in names if name in used - known]:
        rows = found.table.index[found.table["mixture"].astype(str).isin(unknown)]
        listed = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" * (len(unknown) > 5))
        found.problems.append(
            f"{raw.mixtures_name} lacks the mixtures {listed} of {raw.losses_name} "
            f"({places(rows)}). Add their shares"
        )
    if unused := [name for name in raw.mixtures["id"] if name not in used]:
        listed = ", ".join(unused[:5]) + (f" and {len(unused) - 5} more" * (len(unused) > 5))
        found.remarks.append(f"No losses of the mixtures {listed}: they are left out.")


def _check_complete(found: Checked, raw: Raw, options: Mapping[str, Any]) -> None:
    """Every checkpoint of every run must have all validation domains."""
    table = found.table
    measured = table["validation_domain"].nunique()
    code = _codes(table, CHECKPOINT)
    lacking = (np.bincount(code)[code] < measured) if len(code) else np.zeros(0, dtype=bool)
    if not lacking.any():
        return
    if "incomplete" in options.get("drop", ()):
        found.drop(lacking, "validation domains are missing")
        return
    first = table[lacking].iloc[0]
    here = table[code == code[np.flatnonzero(lacking)[0]]]
    missing = sorted(
        set(map(str, table["validation_domain"].unique())) - set(here["validation_domain"])
    )
    found.problems.append(
        f"{raw.losses_name}: validation domains are missing at "
        f"{len(np.unique(code[lacking])):,} of {len(np.unique(code)):,} checkpoints, at the first "
        f"(size {first['size']}, mixture {first['mixture']}, seed {first['seed']}, step "
        f"{first['step']}) {', '.join(missing)} ({places(table.index[lacking])}). Add the losses, "
        "or leave these checkpoints out with losses.drop: [incomplete]"
    )


def _check_curves(found: Checked, raw: Raw, options: Mapping[str, Any]) -> None:
    """Look for losses that rise with tokens, and for spikes."""
    rules = (
        ("rising", _rising, "losses rise with tokens and end more than 2 % above their start"),
        ("spike", _spikes, "losses have spikes, more than 10 % above the checkpoints beside them"),
    )
    for rule, look, words in rules:
        bad = look(found.table)
        if not bad.any():
            continue
        rows = _where(found.table, bad)
        if rule in options.get("drop", ()):
            key = RUN_KEY if rule == "rising" else CHECKPOINT
            found.drop(_whole(found.table, bad, key), words)
        elif rule in options.get("accept", ()):
            found.remarks.append(f"Accepted: {words} ({rows}).")
        else:
            what = "their runs" if rule == "rising" else "their checkpoints"
            found.problems.append(
                f"{raw.losses_name}: {words} ({rows}). Leave {what} out with "
                f"losses.drop: [{rule}], or keep them with losses.accept: [{rule}]"
            )


def _curves(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the order of rows by curve and tokens, and which of them begin a curve."""
    curve = _codes(table, [*RUN_KEY, "validation_domain"])
    order = np.lexsort((table["tokens"].to_numpy(), curve))
    first = np.diff(curve[order], prepend=-1) != 0
    return order, first


def _rising(table: pd.DataFrame) -> np.ndarray:
    """Return a mask of the last losses of curves that end above their start."""
    order, first = _curves(table)
    loss = table["loss"].to_numpy()[order]
    last = np.roll(first, -1)
    starts, ends = loss[first], loss[last]
    found = np.zeros(len(table), dtype=bool)
    found[order[last]] = ends > starts * (1 + RISE)
    return found


def _spikes(table: pd.DataFrame) -> np.ndarray:
    """Return a mask of losses far above the checkpoints before and after them."""
    order, first = _curves(table)
    loss = table["loss"].to_numpy()[order]
    last = np.roll(first, -1)
    before = np.where(first, np.inf, np.roll(loss, 1))
    after = np.where(last, -np.inf, np.roll(loss, -1))
    found = np.zeros(len(table), dtype=bool)
    found[order] = loss > (1 + SPIKE) * np.maximum(before, after)
    return found


def _codes(table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Return a number (n,) for each distinct combination of columns, from 0."""
    code = np.zeros(len(table), dtype=np.int64)
    for name in columns:
        part, names = pd.factorize(table[name])
        code = pd.factorize(code * (len(names) + 1) + part)[0]
    return code


def _whole(table: pd.DataFrame, rows: np.ndarray, key: Sequence[str]) -> np.ndarray:
    """Return a mask of all rows that share the key of one of `rows`."""
    code = _codes(table, key)
    return np.isin(code, np.unique(code[rows]))


def _whole_checkpoints(table: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
    return _whole(table, rows, CHECKPOINT)


def _where(table: pd.DataFrame, rows: np.ndarray) -> str:
    return places(table.index[rows])
