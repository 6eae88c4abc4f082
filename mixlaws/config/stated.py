"""Checks of the mixtures that a config states, and of the keys that name one of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from mixlaws.config.decision import Prior, StatedMixtures
from mixlaws.config.section import Problem
from mixlaws.mixtures.lattice import NATURAL, OPTIMUM, UNIFORM
from mixlaws.results import BEST_OBSERVED

SUM_ERROR = 1e-6
_TAKEN = (UNIFORM, NATURAL, OPTIMUM, BEST_OBSERVED)
_NUMBERED = re.compile(r"(mix|held)-\d+")


def stated_shares(mixtures: StatedMixtures) -> dict[str, dict[str, float]]:
    """Return the shares of every stated mixture by its key in the config."""
    natural = {} if mixtures.natural is None else {"mixtures.natural": mixtures.natural}
    named = {f"mixtures.named.{name}": shares for name, shares in mixtures.named.items()}
    return natural | named


def share_problems(mixtures: StatedMixtures) -> Iterator[Problem]:
    """Yield names that are taken, and shares that do not sum to 1."""
    for name in mixtures.named:
        if name in _TAKEN or _NUMBERED.fullmatch(name):
            words = f"{', '.join(_TAKEN)}, mix-NUMBER and held-NUMBER are taken"
            yield f"mixtures.named.{name}", f"must have another name: {words}"
    for place, shares in stated_shares(mixtures).items():
        if abs((total := sum(shares.values())) - 1) > SUM_ERROR:
            yield place, f"must sum to 1, found {total:.6g}"


def domain_problems(mixtures: StatedMixtures, domains: Collection[str]) -> Iterator[Problem]:
    """Yield the stated mixtures that name a domain which is not trained on."""
    for place, shares in stated_shares(mixtures).items():
        if unknown := sorted(set(shares) - set(domains)):
            listed = ", ".join(sorted(domains))
            yield place, f"must name training domains ({listed}), found {', '.join(unknown)}"


def name_problems(
    place: str, names: Collection[str], mixtures: StatedMixtures, *, has_natural: bool
) -> Iterator[Problem]:
    """Yield the names at a place in the config that are neither uniform, natural nor stated."""
    known = dict.fromkeys([UNIFORM, *([NATURAL] if has_natural else []), *mixtures.named])
    for name in names:
        if name == NATURAL and not has_natural:
            yield place, "is natural, which is left out. State its shares in mixtures.natural"
        elif name not in known:
            yield place, f"must name one of {', '.join(known)}, found {name!r}"


def prior_problems(
    prior: Prior | None, mixtures: StatedMixtures, *, has_natural: bool
) -> Iterator[Problem]:
    """Yield a problem if the optimum is pulled towards a mixture that is not known."""
    names = [] if prior is None else [prior.mixture]
    yield from name_problems("optimum.prior.mixture", names, mixtures, has_natural=has_natural)
