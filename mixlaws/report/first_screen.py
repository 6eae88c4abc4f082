"""The first screen of the page: the decision, its gain, its cost, warnings, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mixlaws import __version__
from mixlaws.laws.overall import OVERALL
from mixlaws.presentation import (
    format_list,
    format_loss,
    format_mixture,
)
from mixlaws.report import findings
from mixlaws.report import tables as report_tables
from mixlaws.report.blocks import Finding
from mixlaws.report.costs import cost_findings, cost_share_table, saving_table
from mixlaws.report.data import PageData
from mixlaws.report.warnings import page_warnings, point_words

NUM_WARNINGS = 4
"""Warnings on the first screen; the others are in their section."""


def summary(found: PageData) -> dict[str, Any]:
    """Return what the first screen says, in the order in which it is shown."""
    optimum = found.optimum
    support = optimum["support"]
    cautions = [each for each in page_warnings(found) if each.tone == "caution"]
    said = {support["reason"], support["loss_reason"], _point_words(found)}
    heavy = [each for each in cautions if each.text not in said]
    return {
        "experiment": found.config["experiment"],
        "headline": headline(found),
        "lead": lead(found),
        "recommends": found.recommends,
        "concludes": support["recommends"],
        "shares": _bars(optimum),
        "verdict": findings.verdict(optimum, found.confirmation),
        "gains": findings.gain_findings(optimum),
        "costs": cost_findings(found),
        "warnings": heavy[:NUM_WARNINGS],
        "num_more_warnings": max(len(heavy) - NUM_WARNINGS, 0),
        "next_steps": list(next_steps(found)),
        "meaning": findings.meaning(optimum),
        "flatness": findings.flatness(optimum),
        "tables": [
            report_tables.share_table(optimum, optimum["level"]),
            report_tables.gain_table(optimum),
            *(table for table in (saving_table(optimum),) if table),
            cost_share_table(found),
        ],
        "version": __version__,
    }


def headline(found: PageData) -> str:
    """Return the decision in one sentence. Runs of the target may tell what the proxies do not."""
    if found.recommends and not found.optimum["support"]["recommends"]:
        return f"Train on {format_mixture(found.optimum['proportions'])}."
    return str(found.optimum["support"]["headline"])


def lead(found: PageData) -> list[str]:
    """Return the paragraphs under the headline: what is recommended for what, or why nothing is."""
    optimum = found.optimum
    support = optimum["support"]
    weights = {domain: weight for domain, weight in found.weights.items() if weight > 0}
    if not found.recommends:
        named = format_mixture(optimum["proportions"])
        return [
            support["reason"],
            support["needs"],
            f"The mixture with the lowest predicted loss is {named}. This is not a recommendation.",
        ]
    words = (
        "This mixture has the lowest predicted loss for "
        f"{findings.scale_words(optimum['target'])}. The loss is measured on "
        f"{format_mixture(weights)} of validation text. "
    )
    if support["states_loss"]:
        overall = optimum["predicted"][OVERALL]
        interval = findings.interval_words(overall, optimum["level"], "loss")
        words += f"Predicted loss: {format_loss(overall['value'])} nats per token ({interval})."
    else:
        words += support["loss_reason"]
    paragraphs = [words]
    if not support["recommends"]:
        paragraphs.append(f"The proxies alone do not support this choice. {support['reason']}")
    return [each for each in (*paragraphs, _point_words(found)) if each]


def _point_words(found: PageData) -> str:
    return point_words(found.proxies, found.results.losses)


def _bars(optimum: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each domain's share and interval in percent, as numbers to draw with."""
    bars = []
    for domain, share in optimum["proportions"].items():
        low, high = optimum["intervals"][domain]
        percent = {"share": 100 * share, "low": 100 * low, "width": 100 * (high - low)}
        bars.append({"domain": domain} | percent)
    return bars


def next_steps(found: PageData) -> Iterator[Finding]:
    """Say what to do next, the most useful first."""
    optimum, confirmation = found.optimum, found.confirmation
    if not found.recommends:
        yield Finding(
            "plain",
            "Add the runs named above with training.sizes, training.num_steps and mixtures.count "
            "in the config. Only the new runs are trained.",
        )
        yield Finding(
            "plain", "Until then, keep the mixture in use: these runs do not speak against it."
        )
        return
    confirmed = {} if confirmation is None else confirmation["gains"]
    unclear = [
        findings.baseline_words(name)
        for name, baseline in optimum["baselines"].items()
        if baseline["gain"]["lower"] <= 0
        and not confirmed.get(baseline["mixture"], {}).get("beyond_noise")
    ]
    if unclear:
        yield Finding(
            "plain",
            f"The optimum cannot be told from {format_list(unclear)}. If one of these is easier to "
            "use, use it. More mixtures (mixtures.count) narrow the interval.",
        )
    if confirmation is None:
        yield Finding(
            "plain",
            "Check the prediction: train the target, or a model between it and the proxies, on "
            "this mixture and on the one you would use otherwise. The section confirmation of the "
            "config adds such runs.",
        )
    elif confirmation["noise"] is None:
        yield Finding(
            "plain",
            "Add a second seed to confirmation.seeds: with one seed the noise of runs is unknown.",
        )
    choice = found.results.choice
    if choice is not None and choice["folds"]:
        missing = [name for name, measured in choice["measured"].items() if not measured]
        if missing:
            yield Finding(
                "plain",
                f"Add runs that measure how errors grow towards {format_list(missing)}: a third or "
                "fourth size in training.sizes, or more evaluations.",
            )
    if found.results.recipes():
        yield Finding("plain", "To train on it, take the file for your trainer from Recipes below.")
