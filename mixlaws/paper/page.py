"""The page of the reproduction: the paper's numbers that reproduce, and improvements on them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixlaws import __version__
from mixlaws.laws.overall import OVERALL
from mixlaws.paper.extrapolation import BOOSTED, EXPONENTIAL, ROLES
from mixlaws.paper.findings import cards
from mixlaws.paper.results import PaperResults
from mixlaws.paper.sections import SECTIONS
from mixlaws.paper.verdicts import AGREES, DISAGREES, NOT_REPRODUCIBLE, count_verdicts
from mixlaws.presentation import SPACE, format_loss, format_signed
from mixlaws.report.blocks import PageTable, write_page

TEMPLATE = Path(__file__).with_name("published.html.j2")


def write_published_report(
    results: str | Path, config: Mapping[str, Any], output: str | Path
) -> None:
    """Write the page of a reproduction whose figures are drawn.

    `config` contains all defaults. Raises DataError if a table is missing.
    """
    found = PaperResults(results, config)
    sections = [section for build in SECTIONS if (section := build(found))]
    write_page(_summary(found), sections, output, TEMPLATE)


def _summary(found: PaperResults) -> dict[str, Any]:
    counts = count_verdicts(found.verdicts)
    total = counts[AGREES] + counts[DISAGREES]
    return {
        "experiment": found.config["experiment"],
        "headline": f"{counts[AGREES]} of {total} published numbers reproduce.",
        "lead": (
            "Data Mixing Laws (Ye et al., arXiv:2403.16952), recomputed from the losses that its "
            f"authors published. {counts[DISAGREES]} numbers differ, {counts[NOT_REPRODUCIBLE]} "
            "cannot be tried without data that is not public. Every number, with its tolerance, is "
            "in the table of verdicts."
        ),
        "cards": cards(found),
        "tables": [headline_table(found)],
        "version": __version__,
    }


def headline_table(found: PaperResults) -> PageTable:
    """Return the headline numbers of the paper, the authors' code, our rerun and the joint laws."""
    rows = []
    for role in ROLES:
        theirs = found.claimed(f"predicted.{role}.{OVERALL}")
        bounds = found.optimum["baselines"][role]["overall"]
        cells = [theirs, found.predicted(BOOSTED, role), found.predicted(EXPONENTIAL, role)]
        interval = " to ".join(map(format_loss, bounds["one_run"]))
        rows.append(
            [
                f"loss of the {role} mixture at 1B / 100k",
                *map(format_loss, cells),
                f"{format_loss(bounds['value'])} ({interval})",
                f"{found.observed(role):.4f}",
            ]
        )
    gains = [found.claimed("predicted.gain")]
    for law in (BOOSTED, EXPONENTIAL):
        gains.append(found.predicted(law, "default") - found.predicted(law, "optimised"))
    true = found.observed("default") - found.observed("optimised")
    gain = found.optimum["gain"]
    interval = " to ".join(map(format_signed, gain["one_run"]))
    rows.append(
        [
            "gain of the optimised mixture",
            *map(format_signed, gains),
            f"{format_signed(gain['value'])} ({interval})",
            f"{true:.4f}",
        ]
    )
    rows.append(_choice_row(found))
    caption = (
        "Predicted from losses of 70M to 410M models, beside what was observed (nats per token). "
        f"In brackets: {100 * found.optimum['level']:.0f}{SPACE}% interval of one run "
        "by the joint laws, as for an unseen mixture."
    )
    header = ["", "authors' predictions", "algorithm 1, boosted", "algorithm 1, explicit"]
    return PageTable(caption, [*header, "joint laws", "observed"], rows, 1)


def _choice_row(found: PaperResults) -> list[str]:
    """Return the mixture that each procedure would choose, and the best small run as baseline."""
    stability = found.table("redpajama", "rank_stability")
    small = stability[stability["size"] == stability["size"].iloc[0]].iloc[-1]
    paper = found.settings["extrapolation"]["optimised"]
    other = "another"
    grid = found.table("redpajama", "candidates")
    chosen = [
        paper if found.place_of_optimised(grid, law) == 1 else other
        for law in (BOOSTED, EXPONENTIAL)
    ]
    return [
        "mixture that it would choose",
        paper,
        *chosen,
        other,
        f"{small['best']} (best {small['size']})",
    ]
