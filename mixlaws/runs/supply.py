"""The supply of text: whether there is enough for the runs, and how often proxies repeat it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mixlaws.errors import DataError
from mixlaws.runs.lengths import num_proxy_tokens
from mixlaws.runs.sections import Experiment


EPOCHS_TOLERANCE = 1 + 1e-9
"""Rounding of shares that are exactly at the allowed epochs."""


@dataclass(frozen=True)
class Cut:
    """A domain of which proxies see only part of the text."""

    domain: str
    tokens: int
    reason: str


def matched_repetition(config: Experiment) -> list[Cut]:
    """Return the domains whose text is cut so that proxies repeat it as often as the target will.

    If the target repeats a domain, its proxies must repeat it as often: otherwise the domain looks
    too good, and the optimum moves (arXiv 2606.07597). The target can repeat a domain whose upper
    limit asks for more than its `available_tokens`.
    """
    if not config.training.match_repetition:
        return []
    target, proxy = config.target.tokens, num_proxy_tokens(config)
    epochs = config.optimum.max_epochs
    cuts = []
    for domain, source in config.domains.items():
        available = source.available_tokens
        highest = config.optimum.limits.get(domain, [0.0, 1.0])[1]
        if not available or proxy >= target or epochs <= 1 or highest * target <= available:
            continue
        seen = min(epochs, highest * target / available)
        tokens = max(1, available * proxy // target)
        cuts.append(
            Cut(
                domain,
                tokens,
                f"{domain}: the target can repeat its {available:,} tokens {seen:.3g} times. "
                f"Proxies of {proxy:,} tokens use a sample of {tokens:,}, repeated as often.",
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
            f"runs of {tokens:,} tokens would repeat text more than {max_epochs:g} times: "
            f"{'; '.join(short)}. Give these domains more text, lower the tokens of a run, set "
            "upper limits in mixtures.limits, leave the mixture out of confirmation.mixtures, or "
            "raise training.max_epochs"
        )
