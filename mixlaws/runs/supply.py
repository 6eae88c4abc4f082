"""The supply of text: whether it serves the runs, and how proxies repeat it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mixlaws.errors import DataError
from mixlaws.runs.lengths import num_proxy_tokens


@dataclass(frozen=True)
class Cut:
    """A domain whose proxies see only part of its text, and why."""

    domain: str
    tokens: int
    reason: str


def matched_repetition(config: Mapping[str, Any]) -> list[Cut]:
    """Return the domains whose text is cut so that proxies repeat it as the target will.

    A proxy that sees fresh text where the target sees it again is told a domain is worth more than
    it will be: repetition moves the optimum (arXiv 2606.07597). It is so where the target may
    take more of a domain than its `available_tokens`: the limit binds.
    """
    if not config["training"]["match_repetition"]:
        return []
    target, proxy = config["target"]["tokens"], num_proxy_tokens(config)
    cuts = []
    for domain, source in config["domains"].items():
        available = source.get("available_tokens")
        highest = config["optimum"]["limits"].get(domain, [0.0, 1.0])[1]
        epochs = config["optimum"]["max_epochs"]
        if not available or proxy >= target or epochs <= 1 or highest * target <= available:
            continue
        seen = min(epochs, highest * target / available)
        tokens = max(1, available * proxy // target)
        cuts.append(
            Cut(
                domain,
                tokens,
                f"the target may see {domain}'s {available:,} tokens up to {seen:.3g} times; a "
                f"proxy of {proxy:,} tokens draws from {tokens:,} of them, to repeat them alike",
            )
        )
    return cuts


def check_supply(
    proportions: Mapping[str, Mapping[str, float]],
    available_tokens: Mapping[str, int],
    *,
    tokens: int,
    max_epochs: float,
) -> None:
    """Raise DataError naming every (mixture, domain) that would repeat text too often.

    `proportions` by mixture id; `tokens` are those of one run.
    """
    short = [
        f"{mixture} needs {share * tokens:,.0f} of {domain} ({available_tokens[domain]:,} at hand)"
        for mixture, shares in proportions.items()
        for domain, share in shares.items()
        if share * tokens > max_epochs * available_tokens[domain]
    ]
    if short:
        raise DataError(
            f"the training text must serve runs of {tokens:,} tokens within {max_epochs:g} epochs, "
            f"but {'; '.join(short)}: give these domains more text, lower the tokens of a run, set "
            "upper limits in mixtures.limits, leave the mixture out of confirmation.mixtures, or "
            "raise training.max_epochs"
        )
