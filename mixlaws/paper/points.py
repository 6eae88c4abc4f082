"""Select the losses of the paper's figures: complete rows, validation groups, the overall loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixlaws.errors import ConfigError, DataError
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.overall import OVERALL
from mixlaws.losses.arrays import make_observations
from mixlaws.losses.swarm import Swarm
from mixlaws.losses.tables import NAMED, share_columns


@dataclass(frozen=True, eq=False)
class Panels:
    """The groups of validation domains, and their weights in the overall loss."""

    names: tuple[str, ...]
    """The groups, then `overall`."""
    weights: np.ndarray
    """(G,) weight of each group in the overall loss; sums to 1."""
    matrix: np.ndarray
    """(V, G) share of each validation domain in its group; columns sum to 1."""

    @classmethod
    def of(cls, swarm: Swarm, groups: Mapping[str, Sequence[str]]) -> Panels:
        """Return the groups of a swarm; raise ConfigError unless each domain is in one group."""
        domains, listed = list(swarm.weights), [d for group in groups.values() for d in group]
        if sorted(listed) != sorted(domains):
            raise ConfigError(
                "published.validation_groups does not have each validation domain once. See "
                f"{', '.join(sorted(set(listed) ^ set(domains))) or 'repeated domains'}, and "
                "correct the groups"
            )
        weights = np.array(list(swarm.weights.values()))
        member = np.array([[d in group for group in groups.values()] for d in domains], dtype=float)
        total = weights @ member
        return cls((*groups, OVERALL), total, weights[:, None] * member / total)

    def of_losses(self, losses: np.ndarray) -> np.ndarray:
        """Return (n, G + 1), the groups' losses and the overall loss, for losses (n, V)."""
        grouped = losses @ self.matrix
        return np.column_stack([grouped, grouped @ self.weights])

    def group(self, observations: Observations) -> Observations:
        """Return the observations with the groups as validation domains."""
        return replace(
            observations,
            validation_domains=self.names[:-1],
            losses=observations.losses @ self.matrix,
        )


def named_mixtures(swarm: Swarm) -> list[str]:
    """Return the mixtures that are not samples: the default mixture and the authors' optima."""
    return swarm.mixtures.loc[swarm.mixtures["kind"] == NAMED, "id"].tolist()


def sample_shares(swarm: Swarm) -> np.ndarray:
    """Return the proportions (m, K) of the sample mixtures."""
    rows = swarm.mixtures[swarm.mixtures["kind"] != NAMED]
    return rows[share_columns(swarm.domains)].to_numpy(dtype=float)


def target_at(swarm: Swarm, size: str, step: int) -> Target:
    """Return a checkpoint's size and step as a target; raise DataError if no run has them."""
    seen = make_observations(swarm)
    rows = np.flatnonzero((seen.size == size) & (seen.step == step))
    if not len(rows):
        raise DataError(
            f"no run of size {size} has a checkpoint at step {step:,}. Correct the target in "
            "published.figures"
        )
    row = rows[0]
    return Target(
        num_params=float(seen.num_params[row]),
        compute_params=float(seen.compute_params[row]),
        tokens=float(seen.tokens[row]),
        effective_tokens=float(seen.effective_tokens[row]),
        annealing=float(seen.annealing[row]),
    )


def cross_section(swarm: Swarm, size: str, step: int) -> Observations:
    """Return the sample mixtures at one size and step; raise DataError if there are none."""
    seen = make_observations(swarm)
    rows = (seen.size == size) & (seen.step == step) & ~np.isin(seen.mixture, named_mixtures(swarm))
    if not rows.any():
        raise DataError(
            f"no sample mixture has losses at size {size} and step {step:,}. Correct the size or "
            "the step in published.figures"
        )
    return seen.select(rows)


def complete_runs(swarm: Swarm, sizes: Sequence[str], steps: Sequence[int]) -> Observations:
    """Return the mixtures trained at all of `sizes`, within `steps` (first, last)."""
    seen = make_observations(swarm)
    everywhere = set.intersection(*(set(seen.mixture[seen.size == size]) for size in sizes))
    rows = np.isin(seen.mixture, list(everywhere)) & np.isin(seen.size, sizes)
    return seen.select(rows & (seen.step >= steps[0]) & (seen.step <= steps[1]))


def overall_losses(swarm: Swarm, observations: Observations) -> np.ndarray:
    """Return the overall loss (n,) with the swarm's weights."""
    return np.asarray(observations.losses @ np.array(list(swarm.weights.values())))


def row_of(observations: Observations, mixture: str) -> int:
    """Return the index of a mixture's row; raise DataError unless it has exactly one."""
    (places,) = np.flatnonzero(observations.mixture == mixture)[None]
    if len(places) != 1:
        raise DataError(
            f"the mixture {mixture!r} has {len(places)} rows instead of one. Correct its name in "
            "published.figures"
        )
    return int(places[0])


Settings = Mapping[str, Any]
"""One entry of published.figures: the settings of one figure."""
