"""The command `mixlaws compare-laws`: held-out scores of every law and of the peers' regressors."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mixlaws.errors import ConfigError
from mixlaws.fit_command import add_tables, tables_of

SUMMARY = "print how well every law and the peers' regressors predict mixtures that they never saw"


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
    compare.add_argument("--folds", type=int, help="parts that are left out in turn")
    compare.add_argument("--seed", type=int, help="shuffle the mixtures before they are divided")
    compare.add_argument("--csv", type=Path, help="write the scores of each validation domain")
    compare.set_defaults(run=_compare_laws)


def _compare_laws(arguments: argparse.Namespace) -> None:
    _check(arguments)
    # Imported here: the other commands do without pandas and scipy.
    import pandas as pd

    from mixlaws.comparison import LEGEND, NamedSwarm, compare, describe
    from mixlaws.scoring.law_comparison import COMPARED, Folds
    from mixlaws.tables import write_table

    names = arguments.laws.split(",") if arguments.laws else COMPARED
    folds, rows = Folds(arguments.folds, arguments.seed), []
    swarms = [NamedSwarm.of_folder(folder) for folder in arguments.swarms]
    if arguments.losses is not None:
        swarms.append(NamedSwarm.of_tables(tables_of(arguments), arguments.weights))
    for swarm in swarms:
        comparison = compare(swarm, names, folds)
        print("\n".join(describe(swarm, comparison, arguments.seed)), end="\n\n", flush=True)
        rows += [{"swarm": swarm.name, **row} for row in comparison.rows]
    print(LEGEND)
    if arguments.csv:
        write_table(pd.DataFrame(rows), arguments.csv)


def _check(arguments: argparse.Namespace) -> None:
    """Raise ConfigError unless the arguments name at least one swarm."""
    if (arguments.losses is None) != (arguments.mixtures is None):
        raise ConfigError("--losses and --mixtures name two tables of one swarm: state both")
    if not arguments.swarms and arguments.losses is None:
        raise ConfigError(
            "there is nothing to compare laws on. Name folders such as results/NAME, or two tables "
            "with --losses and --mixtures"
        )
