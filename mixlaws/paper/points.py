"""Which losses a figure of the paper rests on: complete rows, groups, the overall loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixlaws.errors import ConfigError, DataError
from mixlaws.laws.observations import Observations
from mixlaws.laws.overall import OVERALL
from mixlaws.losses.studies import Study

NAMED_RUNS = 900
"""The authors' number from which runs are no sample mixtures: the default, search results."""


@dataclass(frozen=True, eq=False)
class Panels:
    """Validation domains put together: the weighted mean loss of each group, and of all."""

    names: tuple[str, ...]
    """The groups, then `overall`."""
    weights: np.ndarray
    """(G,) weight of each group in the overall loss; sums to 1."""
    matrix: np.ndarray
    """(V, G) share of each validation domain in its group; columns sum to 1."""

    @classmethod
    def of(cls, study: Study, groups: Mapping[str, Sequence[str]]) -> Panels:
        """Return the groups of a study; raise ConfigError unless they hold each domain once."""
        domains, listed = list(study.weights), [d for group in groups.values() for d in group]
        if sorted(listed) != sorted(domains):
            raise ConfigError(
                "published.validation_groups must hold each validation domain of the study once, "
                f"but {sorted(set(listed) ^ set(domains)) or 'some'} do not: correct the groups"
            )
        weights = np.array(list(study.weights.values()))
        member = np.array([[d in group for group in groups.values()] for d in domains], dtype=float)
        total = weights @ member
        return cls((*groups, OVERALL), total, weights[:, None] * member / total)

    def of_losses(self, losses: np.ndarray) -> np.ndarray:
        """Return (n, G + 1): the groups' losses, then the overall loss, for losses (n, V)."""
        grouped = losses @ self.matrix
        return np.column_stack([grouped, grouped @ self.weights])

    def group(self, observations: Observations) -> Observations:
        """Return the observations with the groups as validation domains."""
        return replace(
            observations,
            validation_domains=self.names[:-1],
            losses=observations.losses @ self.matrix,
        )


def cross_section(study: Study, size: str, step: int) -> Observations:
    """Return the sample mixtures at one size and step; raise DataError if there is none."""
    seen = study.observations()
    named = study.mixtures.loc[study.mixtures["run"] >= NAMED_RUNS, "mixture"]
    rows = (seen.size == size) & (seen.step == step) & ~np.isin(seen.mixture, list(named))
    if not rows.any():
        raise DataError(
            f"the study must hold losses at size {size} and step {step:,}, but has none: "
            "correct the size or the step in published.figures"
        )
    return seen.select(rows)


def complete_runs(study: Study, sizes: Sequence[str], steps: Sequence[int]) -> Observations:
    """Return the mixtures that were run at all of `sizes`, within steps (first, last)."""
    seen = study.observations()
    everywhere = set.intersection(*(set(seen.mixture[seen.size == size]) for size in sizes))
    rows = np.isin(seen.mixture, list(everywhere)) & np.isin(seen.size, sizes)
    return seen.select(rows & (seen.step >= steps[0]) & (seen.step <= steps[1]))


def overall_losses(study: Study, observations: Observations) -> np.ndarray:
    """Return the overall loss (n,) by the study's weights."""
    return np.asarray(observations.losses @ np.array(list(study.weights.values())))


def row_of(observations: Observations, mixture: str) -> int:
    """Return the place of the one row of a mixture; raise DataError if there is not one."""
    (places,) = np.flatnonzero(observations.mixture == mixture)[None]
    if len(places) != 1:
        raise DataError(
            f"there must be one row of the mixture {mixture!r}, got {len(places)}: "
            "correct the mixture's name in published.figures"
        )
    return int(places[0])


Settings = Mapping[str, Any]
"""One entry of published.figures: what a figure is made from."""
