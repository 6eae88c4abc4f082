"""Stop a run that diverges."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import torch

from mixlaws.errors import TrainingError
from mixlaws.runs.run import Run
from mixlaws.training.batches import BatchPlan
from mixlaws.training.loggers import Log

# Losses are averaged over about 50 steps before they are compared with their past.
SMOOTHING = 0.98
FIRST_COMPARED = 100
# Reading a loss makes an accelerator wait; on a CPU it is free.
CHECK_EVERY_STEPS = 50
NUM_NAMED = 6


class Divergence(pl.Callback):
    """Stop a run whose loss is not finite or rises too far, naming the step and its batch."""

    def __init__(
        self,
        run: Run,
        plan: BatchPlan,
        log: Log,
        *,
        margin: float | None,
        is_due: Callable[[int], bool],
    ) -> None:
        self.run = run
        self._log = log  # Lightning gives every callback another `log`
        self.is_due = is_due
        self.plan = plan
        self.margin = margin
        self.smooth: float | None = None
        self.least = math.inf
        self.seen = 0
        self._schedule = run.make_schedule()
        self._step = -1
        self._pending: list[tuple[int, torch.Tensor, torch.Tensor]] = []

    def state_dict(self) -> dict[str, Any]:
        """Save the smoothed loss and its least value."""
        return {"smooth": self.smooth, "least": self.least, "seen": self.seen}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore them."""
        self.smooth, self.least = state_dict["smooth"], state_dict["least"]
        self.seen = state_dict["seen"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Note the step that the attempt starts from."""
        self._step = trainer.global_step

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        """Note the loss of each optimizer step; check it when that does not stall the device."""
        if trainer.global_step == self._step:
            return
        self._step = trainer.global_step
        loss = torch.stack(pl_module.losses).mean()
        pl_module.losses.clear()
        self._pending.append((self._step, loss, pl_module.gradient_norm))
        every = 1 if pl_module.device.type == "cpu" else CHECK_EVERY_STEPS
        if len(self._pending) >= every or self.is_due(self._step):
            self.check(trainer)

    def check(self, trainer: pl.Trainer) -> None:
        """Check every loss since the last time; raise TrainingError at the first bad one."""
        if not self._pending:
            return
        values = torch.stack([torch.stack((loss, norm)) for _, loss, norm in self._pending])
        if trainer.world_size > 1:
            values = trainer.strategy.reduce(values, reduce_op="mean")
        steps = [step for step, _, _ in self._pending]
        self._pending.clear()
        for step, (loss, norm) in zip(steps, values.tolist(), strict=True):
            self._look(step, loss, norm)
            numbers = {"training_loss": loss, "gradient_norm": norm}
            self._log.write(step, numbers | {"learning_rate": self._rate(step)})

    def _look(self, step: int, loss: float, norm: float) -> None:
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise TrainingError(self._message("is not finite", step, loss, norm))
        self.seen += 1
        before = loss if self.smooth is None else self.smooth
        self.smooth = SMOOTHING * before + (1 - SMOOTHING) * loss
        if self.seen < FIRST_COMPARED:
            return
        self.least = min(self.least, self.smooth)
        if self.margin is not None and self.smooth > self.least + self.margin:
            problem = (
                f"rose more than {self.margin:g} nats above its least ({self.least:.3f}, smoothed)"
            )
            raise TrainingError(self._message(problem, step, loss, norm))

    def _rate(self, step: int) -> float:
        """Return the learning rate of a step at width 64."""
        return self.run.learning_rate * float(self._schedule.rate(step))

    def _message(self, problem: str, step: int, loss: float, norm: float) -> str:
        run = self.run
        rate = self._rate(step)
        first = (step - 1) * run.batch_size
        windows = [f"{domain} {window}" for domain, window in self.plan.batch(step - 1)]
        named = ", ".join(windows[:NUM_NAMED]) + (", ..." if len(windows) > NUM_NAMED else "")
        return (
            f"the loss of {run.mixture} at {run.size}, seed {run.seed}, {problem}: {loss:.6g} at "
            f"step {step:,} (learning rate {rate:.3g} at width 64, gradient norm {norm:.3g}; "
            f"its batch: sequences {first:,} to {first + run.batch_size - 1:,}, windows {named}). "
            "Lower training.learning_rate or embedding_learning_rate, or look at that text"
        )
