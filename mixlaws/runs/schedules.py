"""Learning-rate schedules: the rate at a step, and the state that the joint laws use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mixlaws.errors import ConfigError

SCHEDULES = ("constant", "wsd", "cosine")


def _rising(steps: ArrayLike, warmup_steps: int, initial: float) -> np.ndarray:
    """Return the line from the initial rate up to the peak rate, which it passes."""
    share = np.asarray(steps, dtype=float) / max(warmup_steps, 1)
    return share if initial == 0 else initial + (1 - initial) * share


@dataclass(frozen=True)
class Constant:
    """Linear warm-up to a constant rate."""

    warmup_steps: int
    initial: float = 0.0
    """Learning rate before step 1 over the peak rate."""

    def rate(self, steps: ArrayLike) -> np.ndarray:
        """Return learning rate / peak rate at optimizer steps 1, 2, ..."""
        return np.minimum(1.0, _rising(steps, self.warmup_steps, self.initial))

    def state(self, steps: ArrayLike, tokens_per_step: float) -> tuple[np.ndarray, np.ndarray]:
        """Return tokens seen as effective tokens, and an annealing depth of 0."""
        steps = np.asarray(steps, dtype=float)
        return tokens_per_step * steps, np.zeros_like(steps)

    def words(self) -> str:
        """Describe the schedule, for a report."""
        return f"constant rate after {self.warmup_steps:,} steps of warm-up"


@dataclass(frozen=True)
class _Falling(ABC):
    """A schedule that ends at `num_steps`. A run that stops earlier trains on a prefix of it."""

    warmup_steps: int
    num_steps: int
    """Step at which the rate reaches `final`."""
    final: float
    """Learning rate at `num_steps` over the peak rate."""
    initial: float = field(default=0.0, kw_only=True)
    """Learning rate before step 1 over the peak rate."""

    def rate(self, steps: ArrayLike) -> np.ndarray:
        """Return learning rate / peak rate at optimizer steps 1, 2, ..."""
        steps = np.asarray(steps, dtype=float)
        rising = _rising(steps, self.warmup_steps, self.initial)
        return np.minimum(rising, self.final + (1 - self.final) * self._falling(steps))

    @abstractmethod
    def _falling(self, steps: np.ndarray) -> np.ndarray:
        """Return how much of the fall is left, from 1 down to 0."""

    def state(self, steps: ArrayLike, tokens_per_step: float) -> tuple[np.ndarray, np.ndarray]:
        """Return effective tokens S and annealing depth A, both shaped like `steps`.

        S sums the tokens of every step weighted by learning rate / peak rate; A is
        1 - learning rate / peak rate, and 0 during warm-up (Tissue et al., arXiv:2408.11029, use
        the same two quantities). Raises ConfigError for steps past the end of the schedule.
        """
        steps = np.asarray(steps, dtype=int)
        if steps.size and steps.max() > self.num_steps:
            raise ConfigError(
                f"the {self._name} ends at step {self.num_steps:,}, before step {steps.max():,}. "
                "Set training.schedule_horizon to the length of the longest run"
            )
        rates = self.rate(np.arange(1, self.num_steps + 1))
        summed = np.concatenate([[0.0], np.cumsum(rates)])
        depth = np.where(steps <= self.warmup_steps, 0.0, 1.0 - self.rate(steps))
        return tokens_per_step * summed[steps], depth

    @property
    @abstractmethod
    def _name(self) -> str:
        """Return the name of the schedule in messages."""


@dataclass(frozen=True)
class Cosine(_Falling):
    """Linear warm-up, then one cosine from the peak rate down to `final` times the peak."""

    def _falling(self, steps: np.ndarray) -> np.ndarray:
        progress = (steps - self.warmup_steps) / (self.num_steps - self.warmup_steps)
        return 0.5 * (1 + np.cos(np.pi * np.clip(progress, 0.0, 1.0)))

    @property
    def _name(self) -> str:
        return "cosine"

    def words(self) -> str:
        """Describe the schedule, for a report."""
        return f"cosine that reaches {self.final:g} of the peak at step {self.num_steps:,}"


@dataclass(frozen=True)
class WarmupStableDecay(_Falling):
    """Linear warm-up, a constant rate, then straight down over the last part of the run."""

    decay_share: float = 0.2
    """Share of `num_steps` over which the rate falls."""

    def _falling(self, steps: np.ndarray) -> np.ndarray:
        left = (self.num_steps - steps) / max(1.0, self.decay_share * self.num_steps)
        return np.clip(left, 0.0, 1.0)

    @property
    def _name(self) -> str:
        return "warm-up-stable-decay schedule"

    def words(self) -> str:
        """Describe the schedule, for a report."""
        return (
            f"constant rate that falls to {self.final:g} of the peak over the last "
            f"{100 * self.decay_share:g} % of {self.num_steps:,} steps"
        )


Schedule = Constant | Cosine | WarmupStableDecay


def make_schedule(settings: Mapping[str, Any], num_steps: int) -> Schedule:
    """Return the schedule of a run of `num_steps`.

    `settings` are a run's schedule, warmup_steps, schedule_horizon, final_rate, decay_share and
    initial_rate; without a horizon the schedule ends with the run.
    """
    kind, warmup = settings["schedule"], int(settings["warmup_steps"])
    initial = float(settings.get("initial_rate") or 0.0)
    if kind == "constant":
        return Constant(warmup, initial)
    end, final = int(settings["schedule_horizon"] or num_steps), float(settings["final_rate"])
    if kind == "cosine":
        return Cosine(warmup, end, final, initial=initial)
    share = float(settings["decay_share"])
    return WarmupStableDecay(warmup, end, final, share, initial=initial)


def schedule_options(stated: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the schedule of a config's `losses` as runs and target state it.

    Empty if it is unknown: losses are then taken as those of a constant rate.
    """
    if stated is None or stated["kind"] == "unknown":
        return {}
    found = {"schedule": stated["kind"], "warmup_steps": stated["warmup_steps"]}
    if stated["kind"] == "cosine":
        found |= {"schedule_horizon": stated["horizon"], "final_rate": stated["final_rate"]}
    return found
