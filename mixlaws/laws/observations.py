"""The losses that laws are fitted to, as arrays (made by `mixlaws.losses.arrays`)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from mixlaws.errors import FitError


@dataclass(frozen=True, eq=False)
class Observations:
    """The loss of every validation domain, one row per (run, step).

    A run is one (size, mixture, seed). n rows, K training domains, V validation domains.
    """

    domains: tuple[str, ...]
    """Training domains, the order of the columns of `proportions`."""
    validation_domains: tuple[str, ...]
    """Validation domains, the order of the columns of `losses`."""
    size: np.ndarray
    """(n,) size label, e.g. "70M"."""
    mixture: np.ndarray
    """(n,) mixture id."""
    seed: np.ndarray
    """(n,) integer seed of the run."""
    step: np.ndarray
    """(n,) optimizer step."""
    proportions: np.ndarray
    """(n, K) rows on the simplex."""
    num_params: np.ndarray
    """(n,) N, non-embedding parameters."""
    compute_params: np.ndarray
    """(n,) training FLOPs per token / 6: N plus vocabulary head plus attention."""
    tokens: np.ndarray
    """(n,) D, training tokens seen."""
    effective_tokens: np.ndarray
    """(n,) S, tokens weighted by learning rate / peak rate; D if it is constant or unknown."""
    annealing: np.ndarray
    """(n,) A, 1 - learning rate / peak rate; 0 if the rate is constant or unknown."""
    losses: np.ndarray
    """(n, V) nats per token."""

    def __len__(self) -> int:
        return len(self.step)

    def select(self, rows: np.ndarray) -> Observations:
        """Return the rows of a boolean mask or an index array."""
        names = ("domains", "validation_domains")
        return replace(
            self,
            **{f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name not in names},
        )


@dataclass(frozen=True)
class Target:
    """The run to predict: one point in (N, D), with the state of its schedule at the end."""

    num_params: float
    """N, non-embedding parameters."""
    compute_params: float
    """Training FLOPs per token / 6."""
    tokens: float
    """D, training tokens."""
    effective_tokens: float
    """S, tokens weighted by learning rate / peak rate."""
    annealing: float = 0.0
    """1 - learning rate / peak rate at the last step."""


def check_size_reach(observations: Observations, target: Target) -> None:
    """Raise FitError if there is only one observed size and it is not the target's."""
    observed = np.unique(observations.num_params)
    if len(observed) == 1 and not np.isclose(observed[0], target.num_params):
        raise FitError(
            f"losses of one size ({observed[0]:,.0f} parameters) cannot be extrapolated to another "
            f"size, the target's {target.num_params:,.0f}. Train a second size, or predict at the "
            "observed one"
        )
