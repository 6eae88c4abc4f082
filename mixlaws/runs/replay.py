"""The mixtures of continual pre-training: shares of the original data beside the new data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mixlaws.mixtures.lattice import Mixture

SHARE_STEPS = 1000
"""Replay shares are multiples of one over this, so that each has an id."""
VERIFICATION = "critical"
"""Id of the mixture at the share that was found."""


@dataclass(frozen=True)
class Replay:
    """The original and the new data, and the losses that are to be preserved and lowered."""

    original: Mapping[str, float]
    """Part of each original domain in the replayed data."""
    new: Mapping[str, float]
    """Part of each new domain in the new data."""
    preserve: Mapping[str, float]
    """Weight of each validation domain in the loss to preserve."""
    learn: Mapping[str, float]
    """Weight of each validation domain in the loss to lower."""

    def proportions(self, share: float, domains: Sequence[str]) -> dict[str, float]:
        """Return the proportions at a share of the original data, in the order of `domains`."""
        parts = {name: share * part for name, part in self.original.items()}
        parts |= {name: (1 - share) * part for name, part in self.new.items()}
        return {name: parts.get(name, 0.0) for name in domains}


def make_replay(section: Mapping[str, Any], domains: Sequence[str]) -> Replay:
    """Return the replay that a config's `continual` section describes, with its defaults."""
    original = dict(section["original"])
    others = [name for name in domains if name not in original]
    new = dict(section["new"]) or {name: 1 / len(others) for name in others}
    return Replay(
        original, new, dict(section["preserve"]) or original, dict(section["learn"]) or new
    )


def replay_id(share: float) -> str:
    """Return the id of the mixture at a share: replay-250 for a quarter."""
    return f"replay-{round(share * SHARE_STEPS):03d}"


def replay_mixtures(section: Mapping[str, Any], domains: Sequence[str]) -> list[Mixture]:
    """Return the mixture at every share of a config's `continual` section, the least first."""
    replay = make_replay(section, domains)
    return [
        Mixture(replay_id(share), "sample", replay.proportions(share, domains))
        for share in sorted(section["shares"])
    ]
