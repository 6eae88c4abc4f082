"""The swarms on which `mixlaws compare-laws` compares laws, and its tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mixlaws.config.complete import complete_config
from mixlaws.files import read_json
from mixlaws.laws.overall import Columns
from mixlaws.losses.arrays import make_observations
from mixlaws.losses.experiment import equal_weights
from mixlaws.losses.fingerprints import check_runs
from mixlaws.losses.stage import read_swarm
from mixlaws.losses.swarm import LOSSES, MIXTURES, RECORD, RUNS, Swarm
from mixlaws.presentation import format_count
from mixlaws.results import HELD_OUT
from mixlaws.scoring.law_comparison import Comparison, Folds, compare_laws

HEADER = ("law", "MAE", "R2", "rank", "regret", "MAE of domains", "rank of domains", "CPU s")
LEGEND = (
    "MAE and regret are in nats, of the overall loss. The regret is the loss of the mixture that "
    "the law would choose, over the lowest. `of domains` is the mean over validation domains."
)


@dataclass(frozen=True, eq=False)
class NamedSwarm:
    """A swarm with its name and the weights of its validation domains; None are equal ones."""

    name: str
    swarm: Swarm
    weights: dict[str, float] | None

    @classmethod
    def of_folder(cls, folder: Path) -> NamedSwarm:
        """Read an experiment's results, or one of the paper's data sets.

        Raises DataError for a missing file, and for runs that saw different text.
        """
        swarm = Swarm.read(folder / LOSSES, folder / RUNS, folder / MIXTURES)
        check_runs(swarm.runs, folder / RUNS)
        return cls(str(folder), swarm, _weights(folder))

    @classmethod
    def of_tables(cls, losses: Mapping[str, Any], weights: dict[str, float] | None) -> NamedSwarm:
        """Read two tables; `losses` are keys of that section of the config.

        Raises DataError that lists everything that is wrong with them.
        """
        config = complete_config({"experiment": "compared", "losses": dict(losses)})
        return cls(losses["files"]["losses"], read_swarm(config["losses"]), weights)


def _weights(folder: Path) -> dict[str, float] | None:
    """Return the weights that a folder of results records; None where it states none."""
    for name in (RECORD, "import.json", "optimum.json"):
        record = read_json(folder / name) if (folder / name).exists() else {}
        if weights := dict(record.get("objective", record).get("weights", {})):
            return weights
    return None


def compare(named: NamedSwarm, names: Sequence[str], folds: Folds) -> Comparison:
    """Compare laws on a swarm. Mixtures that are held out of every fit have no part in it."""
    observations, mixtures = make_observations(named.swarm), named.swarm.mixtures
    held_out = mixtures.loc[mixtures["kind"] == HELD_OUT, "id"].to_numpy(dtype=str)
    fitted = observations.select(~np.isin(observations.mixture, held_out))
    weights = named.weights or equal_weights(fitted.validation_domains)
    columns = Columns.of(weights, fitted.validation_domains)
    return compare_laws(fitted, columns, names=names, folds=folds)


def describe(named: NamedSwarm, comparison: Comparison, seed: int | None) -> Iterator[str]:
    """Yield the lines of one swarm's table in Markdown, the law of least error first."""
    whole = comparison.num_folds == comparison.num_mixtures
    folds = "each mixture left out in turn" if whole else f"{comparison.num_folds} folds"
    order = "" if whole else ", in the order of their ids" if seed is None else f", seed {seed}"
    weights = "equal weights" if named.weights is None else "weights as stated"
    yield (
        f"### {named.name}: {comparison.num_mixtures} mixtures of {comparison.num_domains} domains"
    )
    yield ""
    yield (
        f"Size {comparison.size}, {format_count(comparison.tokens)} tokens; {folds}{order}; "
        f"{weights}."
    )
    yield ""
    yield from _table([HEADER, *(_cells(comparison.of(law)) for law in comparison.laws)])
    if comparison.failed:
        yield ""
        yield "Not scored:"
        yield ""
    for law, reason in comparison.failed.items():
        yield f"- {law}: {reason}."


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table, its first row the header; numbers are aligned to the right."""
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = [[row[0].ljust(first), *map(str.rjust, row[1:], others)] for row in rows]
    yield f"| {' | '.join(lines[0])} |"
    yield "|".join(["", "-" * (first + 2), *("-" * (width + 1) + ":" for width in others), ""])
    for line in lines[1:]:
        yield f"| {' | '.join(line)} |"


def _cells(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return the cells of one law: overall scores, then means over validation domains."""
    *domains, overall = rows
    # Equal losses or equal predictions have no rank correlation.
    ranks = [row["spearman"] for row in domains if not np.isnan(row["spearman"])]
    numbers = [
        *(overall[name] for name in ("mae", "r2", "spearman", "regret")),
        np.mean([row["mae"] for row in domains]),
        np.mean(ranks) if ranks else np.nan,
    ]
    shown = ["-" if np.isnan(number) else f"{number:.4f}" for number in numbers]
    return (overall["law"], *shown, f"{overall['seconds']:.1f}")
