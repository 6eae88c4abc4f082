"""The command `mixlaws compare-laws`: held-out scores of every law and of the peers' regressors."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mixlaws.errors import ConfigError
from mixlaws.fit_command import add_tables, tables_of
from mixlaws.presentation import format_count

if TYPE_CHECKING:
    from mixlaws.losses.swarm import Swarm
    from mixlaws.scoring.law_comparison import Comparison

SUMMARY = "print how well every law and the peers' regressors predict mixtures that they never saw"
HEADER = ("law", "MAE", "R2", "rank", "regret", "MAE of domains", "rank of domains", "CPU s")
LEGEND = (
    "MAE and regret are in nats, of the overall loss. The regret is the loss of the mixture that "
    "the law would choose, over the lowest. `of domains` is the mean over validation domains."
)


@dataclass(frozen=True, eq=False)
class Named:
    """A swarm with its name and the weights of its validation domains; None are equal ones."""

    name: str
    swarm: Swarm
    weights: dict[str, float] | None


def add_compare_laws(commands: Any) -> None:
    """Add the command to the parsers of `mixlaws`."""
    compare = commands.add_parser("compare-laws", help=SUMMARY, description=SUMMARY)
    compare.add_argument(
        "swarms",
        nargs="*",
        type=Path,
        metavar="SWARM",
        help="a folder of results, as results/NAME or results/paper/5mix",
    )
    add_tables(compare, required=False)
    compare.add_argument("--laws", help="names with commas between them; by default all")
    compare.add_argument("--folds", type=int, help="by default one mixture is left out at a time")
    compare.add_argument("--seed", type=int, help="shuffle the mixtures before they are divided")
    compare.add_argument("--csv", type=Path, help="write the scores of each validation domain")
    compare.set_defaults(run=_compare_laws)


def _compare_laws(arguments: argparse.Namespace) -> None:
    # Imported here: the other commands do without pandas.
    import pandas as pd

    from mixlaws.scoring.law_comparison import COMPARED, Folds
    from mixlaws.tables import write_table

    names = arguments.laws.split(",") if arguments.laws else COMPARED
    folds, rows = Folds(arguments.folds, arguments.seed), []
    for named in _named_swarms(arguments):
        comparison = compare(named, names, folds)
        print("\n".join(describe(named, comparison, arguments.seed)), end="\n\n", flush=True)
        rows += [{"swarm": named.name, **row} for row in comparison.rows]
    print(LEGEND)
    if arguments.csv:
        write_table(pd.DataFrame(rows), arguments.csv)


def _named_swarms(arguments: argparse.Namespace) -> Iterator[Named]:
    """Yield the swarms that the arguments name, each read when it is needed."""
    if (arguments.losses is None) != (arguments.mixtures is None):
        raise ConfigError("--losses and --mixtures name two tables of one swarm: state both")
    if not arguments.swarms and arguments.losses is None:
        raise ConfigError(
            "there is nothing to compare laws on. Name folders such as results/NAME, or two tables "
            "with --losses and --mixtures"
        )
    for folder in arguments.swarms:
        yield read_folder(folder)
    if arguments.losses is not None:
        yield _read_tables(arguments)


def read_folder(folder: Path) -> Named:
    """Return the swarm of an experiment's results, or of one of the paper's data sets.

    Raises DataError for a missing file, and for runs that saw different text.
    """
    from mixlaws.losses.fingerprints import check_runs
    from mixlaws.losses.swarm import LOSSES, MIXTURES, RUNS, Swarm

    swarm = Swarm.read(folder / LOSSES, folder / RUNS, folder / MIXTURES)
    check_runs(swarm.runs, folder / RUNS)
    return Named(str(folder), swarm, _weights(folder))


def _weights(folder: Path) -> dict[str, float] | None:
    """Return the weights that a folder of results records; None where it states none."""
    from mixlaws.files import read_json
    from mixlaws.losses.swarm import RECORD

    for name in (RECORD, "import.json", "optimum.json"):
        record = read_json(folder / name) if (folder / name).exists() else {}
        if weights := dict(record.get("objective", record).get("weights", {})):
            return weights
    return None


def _read_tables(arguments: argparse.Namespace) -> Named:
    from mixlaws.config.complete import complete_config
    from mixlaws.losses.stage import read_swarm

    config = complete_config({"experiment": "compared", "losses": tables_of(arguments)})
    return Named(arguments.losses, read_swarm(config["losses"]), arguments.weights)


def compare(named: Named, names: Any, folds: Any) -> Comparison:
    """Compare laws on a swarm. Mixtures that are held out of every fit have no part in it."""
    from mixlaws.laws.overall import Columns
    from mixlaws.losses.arrays import make_observations
    from mixlaws.losses.experiment import equal_weights
    from mixlaws.results import HELD_OUT
    from mixlaws.scoring.law_comparison import compare_laws

    swarm = named.swarm
    observations = make_observations(swarm)
    held_out = swarm.mixtures.loc[swarm.mixtures["kind"] == HELD_OUT, "id"]
    fitted = observations.select(~np.isin(observations.mixture, held_out.to_numpy(dtype=str)))
    weights = named.weights or equal_weights(fitted.validation_domains)
    columns = Columns.of(weights, fitted.validation_domains)
    return compare_laws(fitted, columns, names=names, folds=folds)


def describe(named: Named, comparison: Comparison, seed: int | None) -> Iterator[str]:
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
    rows = [HEADER, *(_cells(comparison.of(law)) for law in _laws(comparison))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for place, row in enumerate(rows):
        first, *others = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield f"| {first.strip():<{widths[0]}} | {' | '.join(others)} |"
        if place == 0:
            yield (
                "|"
                + "|".join(
                    "-" * (width + 2) if i == 0 else "-" * (width + 1) + ":"
                    for i, width in enumerate(widths)
                )
                + "|"
            )
    if comparison.failed:
        yield ""
    for law, reason in comparison.failed.items():
        yield f"Not scored: {law}. {reason}"


def _laws(comparison: Comparison) -> list[str]:
    return list(dict.fromkeys(row["law"] for row in comparison.rows))


def _cells(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return the cells of one law: overall scores, then means over validation domains."""
    *domains, overall = rows
    # A domain without a rank has none for any law, because its losses are equal; the mean has no
    # rank at all.
    ranks = [row["spearman"] for row in domains if not np.isnan(row["spearman"])]
    numbers = [
        *(overall[name] for name in ("mae", "r2", "spearman", "regret")),
        np.mean([row["mae"] for row in domains]),
        np.mean(ranks) if ranks else np.nan,
    ]
    shown = ["-" if np.isnan(number) else f"{number:.4f}" for number in numbers]
    return (overall["law"], *shown, f"{overall['seconds']:.1f}")
