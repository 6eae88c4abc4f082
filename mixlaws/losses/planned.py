"""Compare the runs and mixtures of tables with those that the sweep asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from mixlaws.errors import DataError, list_problems
from mixlaws.losses.tables import RUN_KEY

_NUM_LISTED = 5


def check_runs_planned(runs: pd.DataFrame, planned: Iterable[Sequence[Any]], name: object) -> None:
    """Raise DataError that lists the runs of a table that are missing, doubled or not planned.

    `planned` holds the size, mixture and seed of each run; `name` names the table.
    """
    keys = runs[RUN_KEY].itertuples(index=False, name=None)
    wanted = [_run_name(each) for each in planned]
    _refuse(f"the runs in {name}", _differences(map(_run_name, keys), wanted))


def check_mixtures_planned(
    mixtures: pd.DataFrame, planned: Mapping[str, str], name: object
) -> None:
    """Raise DataError that lists the mixtures that are missing, doubled, not planned or of another
    kind.

    `planned` holds the kind of each mixture by its id; `name` names the table.
    """
    problems = list(_differences(mixtures["id"], planned))
    for row in mixtures[mixtures["id"].isin(list(planned))].itertuples(index=False):
        if row.kind != planned[str(row.id)]:
            problems.append(f"{row.id} is {row.kind}, not {planned[str(row.id)]}")
    _refuse(f"the mixtures in {name}", problems)


def _run_name(key: Sequence[Any]) -> str:
    size, mixture, seed = key
    return f"{size}/{mixture}/seed-{seed}"


def _differences(found: Iterable[str], planned: Iterable[str]) -> Iterator[str]:
    counts, wanted = Counter(map(str, found)), set(planned)
    groups = {
        "missing": sorted(wanted - counts.keys()),
        "doubled": sorted(name for name, count in counts.items() if count > 1),
        "not in the sweep": sorted(counts.keys() - wanted),
    }
    for words, names in groups.items():
        if names:
            more = len(names) - _NUM_LISTED
            rest = f" and {more:,} more" if more > 0 else ""
            yield f"{words}: {', '.join(names[:_NUM_LISTED])}{rest}"


def _refuse(what: str, problems: Iterable[str]) -> None:
    if found := list(problems):
        raise DataError(
            f"{what} are not those of the config's sweep, {list_problems(found)}\nDelete the file "
            "and rerun the rule that writes it"
        )
