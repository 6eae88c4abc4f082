"""The supply of text: whether there is enough for the runs, and how often proxies repeat it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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


def find_shortages(
    proportions: Mapping[str, Mapping[str, float]],
    available_tokens: Mapping[str, int],
    *,
    tokens: int,
    max_epochs: float,
) -> list[str]:
    """Return one line per domain that a run of `tokens` would repeat more often than allowed.

    `proportions` by mixture id. A line names the mixture that needs the most, and how many
    need too much. Repetition from match_repetition does not count.
    """
    found = []
    for domain, at_hand in available_tokens.items():
        needed = {name: shares[domain] * tokens for name, shares in proportions.items()}
        allowed = max_epochs * at_hand * EPOCHS_TOLERANCE
        short = {name: amount for name, amount in needed.items() if amount > allowed}
        if short:
            most = max(short, key=lambda name: short[name])
            others = f", the most of {len(short)} mixtures" if len(short) > 1 else ""
            found.append(
                f"{domain} has {at_hand:,} training tokens, and {most} needs {short[most]:,.0f} of "
                f"them ({short[most] / max(at_hand, 1):.3g} epochs){others}"
            )
    return found


def target_supply(
    stated: Mapping[str, int | None], counted: Mapping[str, float], measured_factor: float
) -> dict[str, float | None]:
    """Return the number of tokens of each domain available to the target; None means no limit.

    The config's available_tokens, `stated`, take precedence. A confirmation trains on the
    experiment's own text: if `measured_factor` is above 0, the other domains are limited to the
    training tokens that were `counted`, times this factor.
    """
    if not measured_factor:
        return {domain: tokens or None for domain, tokens in stated.items()}
    return {
        domain: tokens or float(counted[domain]) * measured_factor
        for domain, tokens in stated.items()
    }
