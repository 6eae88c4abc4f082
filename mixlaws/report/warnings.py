"""The warnings of the page, in order of weight: what limits the trust in its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mixlaws.losses.arrays import schedule_of
from mixlaws.presentation import format_level, format_reach, format_share
from mixlaws.provenance import TRAINING_VERSION
from mixlaws.report.blocks import Finding
from mixlaws.report.data import PageData
from mixlaws.report.findings import some_names
from mixlaws.runs.schedules import make_schedule

FAR_FACTOR = 10.0
"""The page calls an extrapolation by more than this factor far."""
WIDE_MISS = 0.1
"""Intervals whose coverage is this much below their level are called too narrow."""


@dataclass(frozen=True)
class PageWarning:
    """One warning and its weight: the heavier, the more of the page it puts in doubt."""

    weight: int
    finding: Finding


def page_warnings(found: PageData) -> list[Finding]:
    """Return all warnings of a page, the heaviest first."""
    optimum, proxies = found.optimum, found.proxies
    warnings = [
        *support_warnings(optimum["support"]),
        *confirmation_warnings(found.confirmation),
        *point_warnings(proxies, found.results.losses),
        *coverage_warnings(found.results.choice),
        *schedule_warnings(proxies),
        *optimum_warnings(optimum),
    ]
    if optimum["support"]["recommends"]:  # otherwise the reason says how far the target is
        tokens = found.results.losses["tokens"].max()
        warnings.append(extrapolation_warning(optimum, proxies["num_params"].max(), tokens))
    laws = {"Step law": found.results.step_law, "Size law": found.results.size_law}
    for name, law in laws.items():
        if law is not None and optimum["pipeline"] == "nested":
            warnings += fit_warnings(name, law)
    warnings += version_warnings(found.runs)
    return [each.finding for each in sorted(warnings, key=lambda each: -each.weight)]


def support_warnings(support: Mapping[str, Any]) -> Iterator[PageWarning]:
    """Yield why no mixture is recommended and why no loss is stated, where that is so."""
    if support["reason"]:
        yield PageWarning(100, Finding("caution", support["reason"]))
    if support["loss_reason"]:
        yield PageWarning(90, Finding("caution", support["loss_reason"]))


def confirmation_warnings(confirmation: Mapping[str, Any] | None) -> Iterator[PageWarning]:
    """Yield which losses of trained targets lie outside their predicted intervals."""
    mixtures = {} if confirmation is None else confirmation["mixtures"]
    missed = [
        f"{name} ({entry['mean']:.3f}, predicted {limits['lower']:.3f} to {limits['upper']:.3f})"
        for name, entry in mixtures.items()
        if not (limits := entry["predicted"])["lower"] <= entry["mean"] <= limits["upper"]
    ]
    if missed:
        text = "The target was trained, and its loss lies outside the predicted interval: "
        yield PageWarning(85, Finding("caution", f"{text}{', '.join(missed)}."))


def point_words(proxies: pd.DataFrame, losses: pd.DataFrame) -> str:
    """Say what runs of one size or one checkpoint cannot tell; empty for other runs."""
    size = str(proxies["size"].iloc[0])
    tokens = losses["tokens"].unique()
    only_size, only_tokens = proxies["num_params"].nunique() == 1, len(tokens) == 1
    if only_size and only_tokens:
        return (
            f"All runs have size {size} and one measured checkpoint. The page compares mixtures at "
            "that size and number of tokens. It says nothing about the loss at another size or "
            "another number of tokens."
        )
    if only_size:
        return (
            f"All runs have size {size}. The page compares mixtures at that size. It says nothing "
            "about the loss at another size."
        )
    if only_tokens:
        return (
            "Every run was measured at one checkpoint. The page compares mixtures at that number "
            "of tokens. It says nothing about the loss at another number of tokens."
        )
    return ""


def point_warnings(proxies: pd.DataFrame, losses: pd.DataFrame) -> Iterator[PageWarning]:
    """Yield a warning about runs of one size or one checkpoint."""
    if words := point_words(proxies, losses):
        yield PageWarning(85, Finding("caution", words))


def coverage_warnings(choice: Mapping[str, Any] | None) -> Iterator[PageWarning]:
    """Yield warnings about intervals that miss too often, and about directions not measured."""
    if choice is None or not choice["folds"]:
        return
    coverage = choice["fold_coverage"]
    observed, level = coverage["observed"], coverage["level"]
    if observed is not None and observed < level - WIDE_MISS:
        yield PageWarning(
            70,
            Finding(
                "caution",
                f"The {format_level(level)} intervals are too narrow: they hold "
                f"{format_level(observed)} of the errors on this experiment's own folds.",
            ),
        )
    for direction, measured in choice["measured"].items():
        if not measured:
            yield PageWarning(
                55,
                Finding(
                    "caution",
                    f"How errors grow towards {direction} was not measured here. The intervals use "
                    "the growth on public runs.",
                ),
            )


def extrapolation_warning(
    optimum: Mapping[str, Any], largest_params: float, largest_tokens: float
) -> PageWarning:
    """Say how far beyond the proxies the target lies."""
    target = optimum["target"]
    params, tokens = target["num_params"] / largest_params, target["tokens"] / largest_tokens
    words = format_reach(params, tokens)
    if max(params, tokens) <= 1.01:
        return PageWarning(5, Finding("plain", f"{words}, or less: no loss is extrapolated."))
    if max(params, tokens) > FAR_FACTOR:
        text = f"{words}. This is far: the true errors may be larger than the intervals say."
        return PageWarning(60, Finding("caution", text))
    text = f"{words}. The laws are used that far outside of what they were fitted to."
    return PageWarning(10, Finding("plain", text))


def schedule_warnings(proxies: pd.DataFrame) -> Iterator[PageWarning]:
    """Yield the learning-rate schedule of the proxies, if it is known."""
    if not {"schedule", "num_steps"} <= set(proxies):
        return
    settings = schedule_of(proxies)
    num_steps = int(proxies["num_steps"].max())
    schedule = make_schedule(settings, num_steps)
    text = f"All proxies have one learning-rate schedule: {schedule.words()}."
    if settings["schedule"] == "constant":
        yield PageWarning(1, Finding("plain", text))
        return
    end = settings["schedule_horizon"] or num_steps
    yield PageWarning(
        50,
        Finding(
            "caution",
            f"{text} The proxies stop at step {num_steps:,} of {int(end):,}. Losses measured "
            "earlier are those of a rate that has not fallen yet. Step laws carry them on as if it "
            "never fell; only the joint laws have a term for the fall.",
        ),
    )


def certificate_finding(certificate: Mapping[str, Any]) -> Finding:
    """Say how far the optimum of the fitted law is proved to be one."""
    gap = certificate["gap"]
    if certificate["certified"]:
        return Finding(
            "good",
            "Certificate: proved optimal. The predicted loss is convex in the shares, and no "
            f"allowed mixture is predicted to be better by more than {gap:.1e} nats.",
        )
    if certificate["convex"]:
        return Finding(
            "caution",
            "Certificate: a bound. The predicted loss is convex in the shares, and no allowed "
            f"mixture is predicted to be better by more than {gap:.2g} nats.",
        )
    return Finding(
        "caution",
        "Certificate: not certified, because the predicted loss is not convex in the shares. The "
        f"optimum is the best of {certificate['num_starts']} searches.",
    )


def optimum_warnings(optimum: Mapping[str, Any]) -> Iterator[PageWarning]:
    """Yield warnings about the optimum itself."""
    if not optimum["certificate"]["certified"]:
        yield PageWarning(45, certificate_finding(optimum["certificate"]))
    for active in optimum["active_constraints"]:
        text = f"The {active['side']} limit of {active['domain']} binds: its share is "
        text += f"{format_share(active['limit'])}"
        if (price := active["shadow_price_per_billion_tokens"]) is not None:
            text += f". A billion more tokens of it would change the loss by {price:+.2g} nats"
        yield PageWarning(40, Finding("caution", f"{text}."))
    if failed := optimum.get("num_failed_replicates", 0):
        text = (
            f"{failed} of {optimum['replicates']} bootstrap refits failed. They are missing from "
            "the intervals of the shares."
        )
        yield PageWarning(30, Finding("caution", text))


def fit_warnings(name: str, laws: pd.DataFrame) -> Iterator[PageWarning]:
    """Yield warnings about fits that only one start found or that end at a bound."""
    names = laws["mixture"] + " / " + laws["validation_domain"]
    if "size" in laws:
        names = laws["size"] + " / " + names
    alone = names[laws["num_agreeing"] <= 1].tolist()
    if alone:
        text = f"{name}: {len(alone)} of {len(laws)} fits were found by one start only: "
        yield PageWarning(20, Finding("caution", f"{text}{some_names(alone)}."))
    bounds = laws["at_bound"].astype("string").fillna("")
    stuck = (names + " (" + bounds + ")")[bounds != ""].tolist()
    if stuck:
        text = f"{name}: {len(stuck)} of {len(laws)} fits have a parameter at its bound: "
        yield PageWarning(20, Finding("caution", f"{text}{some_names(stuck)}."))


def version_warnings(runs: pd.DataFrame) -> Iterator[PageWarning]:
    """Yield a warning about runs that were trained by another version of this package.

    Runs that others trained have no version and are skipped.
    """
    if "training_version" not in runs:
        return
    other = runs[runs["training_version"].notna() & (runs["training_version"] != TRAINING_VERSION)]
    if not other.empty:
        names = (other["size"] + " / " + other["mixture"]).drop_duplicates().tolist()
        text = (
            f"{len(other)} of {len(runs)} runs were trained by another version of training than "
            f"today's ({TRAINING_VERSION}), which gives other losses: {some_names(names)}. Train "
            "them again."
        )
        yield PageWarning(95, Finding("caution", text))
