"""Learning-rate schedules as the joint laws see them: effective tokens and annealing depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mixlaws.errors import ConfigError


@dataclass(frozen=True)
class Cosine:
    """Linear warm-up, then one cosine from the peak rate down to `final` times the peak."""

    warmup_steps: int
    num_steps: int
    """Step at which the cosine ends; a run that stops earlier is an un-annealed prefix."""
    final: float
    """Learning rate at `num_steps` over the peak rate."""

    def rate(self, steps: ArrayLike) -> np.ndarray:
        """Return learning rate / peak rate at optimizer steps 1, 2, ..."""
        steps = np.asarray(steps, dtype=float)
        progress = (steps - self.warmup_steps) / (self.num_steps - self.warmup_steps)
        falling = 0.5 * (1 + np.cos(np.pi * np.clip(progress, 0.0, 1.0)))
        rising = steps / max(self.warmup_steps, 1)
        return np.minimum(rising, self.final + (1 - self.final) * falling)

    def state(self, steps: ArrayLike, tokens_per_step: float) -> tuple[np.ndarray, np.ndarray]:
        """Return effective tokens S and annealing depth A, both shaped like `steps`.

        S sums the tokens of every step weighted by learning rate / peak rate; A is
        1 - learning rate / peak rate, and 0 during warm-up (Tissue et al., arXiv:2408.11029, use
        the same two quantities). Raises ConfigError for steps past the end of the cosine.
        """
        steps = np.asarray(steps, dtype=int)
        if steps.size and steps.max() > self.num_steps:
            raise ConfigError(
                f"a cosine of {self.num_steps:,} steps ends there, got step {steps.max():,}: "
                "set the schedule's num_steps to the length of the run"
            )
        rates = self.rate(np.arange(1, self.num_steps + 1))
        summed = np.concatenate([[0.0], np.cumsum(rates)])
        depth = np.where(steps <= self.warmup_steps, 0.0, 1.0 - self.rate(steps))
        return tokens_per_step * summed[steps], depth
