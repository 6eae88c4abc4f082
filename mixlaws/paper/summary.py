"""The answer of the reproduction in ten lines, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mixlaws.paper.extrapolation import ROLES
from mixlaws.paper.results import PaperResults
from mixlaws.paper.verdicts import AGREES, DISAGREES, NOT_REPRODUCIBLE, count_verdicts
from mixlaws.presentation import format_loss, format_signed
from mixlaws.report.budget import budget_line
from mixlaws.report.summary import as_lines, check_finished


def summarise_published(folder: str | Path, config: Mapping[str, Any]) -> str:
    """Return how many published numbers agree, and the joint laws' predictions, as text.

    `config` contains all defaults. Raises DataError if the experiment has no results yet.
    """
    folder = Path(folder)
    check_finished(folder, folder / "paper_verdicts.csv")
    check_finished(folder, folder / "redpajama" / "optimum.json")
    head = f"{config['experiment']}: Data Mixing Laws (arXiv:2403.16952), from its published losses"
    return as_lines(head, list(_rows(PaperResults(folder, config))))


def _rows(found: PaperResults) -> Iterator[tuple[str, str]]:
    counts, optimum = count_verdicts(found.verdicts), found.optimum
    yield (
        "published numbers",
        f"{counts[AGREES]} of {counts[AGREES] + counts[DISAGREES]} agree, {counts[DISAGREES]} "
        f"differ, {counts[NOT_REPRODUCIBLE]} cannot be tried",
    )
    level = f"{100 * optimum['level']:.0f} % interval of one run"
    for role in ROLES:
        loss = optimum["baselines"][role]["overall"]
        ends = " to ".join(map(format_loss, loss["one_run"]))
        yield (
            f"loss of the {role} mixture",
            f"{format_loss(loss['value'])} predicted ({level} {ends}), "
            f"{format_loss(found.observed(role))} observed",
        )
    gain = optimum["gain"]
    ends = " to ".join(map(format_signed, gain["one_run"]))
    observed = found.observed("default") - found.observed("optimised")
    yield (
        "gain of the optimised mixture",
        f"{format_signed(gain['value'])} predicted ({ends}), {format_signed(observed)} observed",
    )
    if found.budget is not None:
        yield "size and tokens", budget_line(found.budget)
    yield "cost", "nothing was trained"
    yield "every number", str(found.folder / "paper_verdicts.csv")
    yield "page", str(found.folder / "report.html")
