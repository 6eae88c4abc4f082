"""What the counted tokens refuse, before any mixture is written and any run is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mixlaws.decision.limits import Limits, make_decision_limits
from mixlaws.errors import ConfigError, DataError, list_problems
from mixlaws.files import write_json
from mixlaws.mixtures.designs import MIN_FITTED_MIXTURES
from mixlaws.mixtures.lattice import NATURAL, Mixture, lattice_limits
from mixlaws.results import BASELINE
from mixlaws.runs.lengths import num_windows
from mixlaws.runs.supply import find_shortages, target_supply
from mixlaws.text.tokens import Manifest, natural_shares, read_manifest

_STATED = ("mixtures", "predicted")


@dataclass(frozen=True)
class Counts:
    """The counted tokens of an experiment."""

    train: Mapping[str, int]
    """Training tokens by domain."""
    validation: Mapping[str, int]
    """Validation tokens by validation domain."""
    natural: Mapping[str, float] | None
    """The shares of the natural mixture; None if the text does not decide them."""


def check_tokens(
    manifests: Sequence[str | Path], plan: Mapping[str, Any], output: str | Path
) -> None:
    """Check the counts of tokens against the plan, and write what was found as JSON.

    As `check_counts`, which says what `plan` holds. All training depends on the output.
    """
    counts = check_counts(manifests, plan)
    windows = {
        domain: num_windows(tokens, plan["sequence_length"])
        for domain, tokens in counts.validation.items()
    }
    natural = counts.natural and dict(counts.natural)
    write_json({"natural": natural, "validation_windows": windows}, output)


def planned_mixtures(manifests: Sequence[str | Path], plan: Mapping[str, Any]) -> list[Mixture]:
    """Return every mixture of the proxies, then those that are only predicted.

    A changed plan retrains nothing that is trained, so it is checked here as by `check_counts`.
    """
    natural = check_counts(manifests, plan).natural
    counted = [] if natural is None else [Mixture(NATURAL, BASELINE, dict(natural))]
    chosen, predicted = ([Mixture(**each) for each in plan[key]] for key in _STATED)
    return [*chosen, *counted, *predicted]


def check_counts(manifests: Sequence[str | Path], plan: Mapping[str, Any]) -> Counts:
    """Return the counts in the manifests of all splits, if they serve the plan.

    `plan` holds the mixtures whose proportions the config decides (keys of `Mixture`): `mixtures`
    are trained, `predicted` are not; counts_natural, num_windows, sequence_length, proxy_tokens,
    target_tokens, max_epochs, lattice, and the confirmation's mixtures as `confirmed`, None without
    a confirmation; and the config's `optimum`, the stated available_tokens and the measured_factor
    of the counted ones (runs.sweep.plan_of_tokens).
    Raises DataError listing every problem.
    """
    read = [read_manifest(path) for path in manifests]
    counts = read_counts(read, counts_natural=plan["counts_natural"])
    if problems := list(find_problems(counts, plan)):
        raise DataError(f"the tokens of the experiment have {list_problems(problems)}")
    return counts


def read_counts(manifests: Sequence[Manifest], *, counts_natural: bool = True) -> Counts:
    """Return the counts of manifests.

    Raises DataError if `counts_natural` is true and a source does not know its whole size.
    """
    train = [each for each in manifests if each.split == "train"]
    return Counts(
        train={each.domain: each.num_tokens for each in train},
        validation={m.domain: m.num_tokens for m in manifests if m.split == "validation"},
        natural=natural_shares(train) if counts_natural else None,
    )


def find_problems(counts: Counts, plan: Mapping[str, Any]) -> Iterator[str]:
    """Yield every problem of the counts with the plan of `check_counts`."""
    yield from _window_problems(counts, plan)
    yield from _mixture_problems(counts, plan)
    yield from _supply_problems(counts, plan)
    yield from _decision_problems(counts, plan)


def _window_problems(counts: Counts, plan: Mapping[str, Any]) -> Iterator[str]:
    length, wanted = plan["sequence_length"], plan["num_windows"]
    for domain, tokens in counts.train.items():
        if num_windows(tokens, length) < 1:
            yield (
                f"domain {domain}: its training split has {tokens:,} tokens, too few for a window "
                f"of training.sequence_length + 1 = {length + 1:,}. Give it more text, or lower "
                "training.sequence_length"
            )
    for domain, tokens in counts.validation.items():
        if (found := num_windows(tokens, length)) < wanted:
            less = f"set validation.num_windows to at most {found:,}"
            yield (
                f"validation domain {domain}: its {tokens:,} tokens hold {found:,} of the "
                f"{wanted:,} windows of {length:,} tokens. Give it more text, raise "
                f"validation.share, or {less if found else 'lower training.sequence_length'}"
            )


def _mixture_problems(counts: Counts, plan: Mapping[str, Any]) -> Iterator[str]:
    """Yield a problem if natural or a stated mixture equals another, and too few are left."""
    fitted = {
        tuple(mixture["proportions"].values())
        for mixture in plan["mixtures"]
        if mixture["kind"] != "held-out"
    }
    if counts.natural is not None:
        fitted.add(tuple(counts.natural.values()))
    if len(fitted) < MIN_FITTED_MIXTURES:
        yield (
            f"mixtures: some are equal, so {len(fitted)} different ones are left, and the laws "
            f"need {MIN_FITTED_MIXTURES}. Raise mixtures.count"
        )


def _supply_problems(counts: Counts, plan: Mapping[str, Any]) -> Iterator[str]:
    allowed = plan["max_epochs"]
    proportions = {each["id"]: each["proportions"] for each in plan["mixtures"]}
    if counts.natural is not None:
        proportions[NATURAL] = counts.natural
    known = proportions | {each["id"]: each["proportions"] for each in plan["predicted"]}
    confirmed = {name: known[name] for name in plan["confirmed"] or ()}
    kinds = {
        "a proxy": (proportions, plan["proxy_tokens"]),
        "a confirmation": (confirmed, plan["target_tokens"]),
    }
    for kind, (mixtures, tokens) in kinds.items():
        short = find_shortages(mixtures, counts.train, tokens=tokens, max_epochs=allowed)
        if short:
            yield (
                f"{kind} of {tokens:,} tokens would repeat text more than training.max_epochs "
                f"({allowed:g}) times: {'; '.join(short)}. Give these domains more text, lower the "
                "tokens of a run, set upper limits in mixtures.limits, leave the mixture out of "
                "confirmation.mixtures, or raise training.max_epochs"
            )


def _decision_problems(counts: Counts, plan: Mapping[str, Any]) -> Iterator[str]:
    """Yield limits of the optimum that conflict once the counted tokens limit it too."""
    if plan["confirmed"] is None:
        return  # only a confirmation limits the optimum to the counted tokens
    available = target_supply(plan["available_tokens"], counts.train, plan["measured_factor"])
    try:
        limits = make_decision_limits(
            list(counts.train), plan["optimum"], available, plan["target_tokens"]
        )
    except ConfigError as error:
        yield (
            f"{error}. The confirmation trains on the text that was read: without it the counted "
            "tokens limit nothing"
        )
        return
    yield from _rounding_problems(limits, counts, plan)


def _rounding_problems(limits: Limits, counts: Counts, plan: Mapping[str, Any]) -> Iterator[str]:
    """Yield a problem if the optimum on the lattice could need more text than there is."""
    pairs = np.stack([limits.lower, np.minimum(limits.upper, 1.0)], axis=1).tolist()
    try:
        lattice_limits(plan["lattice"], dict(zip(limits.domains, pairs, strict=True)))
    except ConfigError:
        step, tokens = 1 / plan["lattice"], plan["target_tokens"]
        widest = dict(zip(limits.domains, np.minimum(limits.upper + step, 1.0), strict=True))
        short = find_shortages(
            {"the optimum": widest}, counts.train, tokens=tokens, max_epochs=plan["max_epochs"]
        )
        if short:
            yield (
                f"mixtures.lattice: no mixture on the 1/{plan['lattice']} lattice is within the "
                "limits of the optimum, and the nearest one could need more text than a "
                f"confirmation may use: {'; '.join(short)}. Raise mixtures.lattice or "
                "training.max_epochs, or widen optimum.limits"
            )
