"""Watch a run from the side: stop it when it diverges, and measure where its seconds go."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import torch

from mixlaws.data import BatchPlan
from mixlaws.errors import TrainingError
from mixlaws.plan import Run

# A loss is compared with its own past once it is smooth: about 50 steps.
SMOOTHING = 0.98
FIRST_COMPARED = 100
# Reading a loss from an accelerator waits for it; on a CPU it costs nothing.
CHECK_EVERY_STEPS = 50
NUM_NAMED = 6
TIMED_EVERY = 16


class Divergence(pl.Callback):
    """Stop a run whose loss is not finite or has run away, naming the step and its batch."""

    def __init__(
        self, run: Run, plan: BatchPlan, margin: float | None, is_due: Callable[[int], bool]
    ) -> None:
        self.run = run
        self.is_due = is_due
        self.plan = plan
        self.margin = margin
        self.smooth: float | None = None
        self.least = math.inf
        self.seen = 0
        self._step = -1
        self._pending: list[tuple[int, torch.Tensor, torch.Tensor]] = []

    def state_dict(self) -> dict[str, Any]:
        """Save what later losses are compared with."""
        return {"smooth": self.smooth, "least": self.least, "seen": self.seen}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it up again."""
        self.smooth, self.least = state_dict["smooth"], state_dict["least"]
        self.seen = state_dict["seen"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Start from the step at hand."""
        self._step = trainer.global_step

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        """Note the loss of each optimizer step, and check when it costs no waiting."""
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
        """Look at every loss since the last check; raise TrainingError at the first bad one."""
        if not self._pending:
            return
        values = torch.stack([torch.stack((loss, norm)) for _, loss, norm in self._pending])
        if trainer.world_size > 1:
            values = trainer.strategy.reduce(values, reduce_op="mean")
        steps = [step for step, _, _ in self._pending]
        self._pending.clear()
        for step, (loss, norm) in zip(steps, values.tolist(), strict=True):
            self._look(step, loss, norm)

    def _look(self, step: int, loss: float, norm: float) -> None:
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise TrainingError(self._message("must stay finite", step, loss, norm))
        self.seen += 1
        before = loss if self.smooth is None else self.smooth
        self.smooth = SMOOTHING * before + (1 - SMOOTHING) * loss
        if self.seen < FIRST_COMPARED:
            return
        self.least = min(self.least, self.smooth)
        if self.margin is not None and self.smooth > self.least + self.margin:
            held = (
                f"must stay within {self.margin:g} nats of its least ({self.least:.3f}, smoothed)"
            )
            raise TrainingError(self._message(held, step, loss, norm))

    def _message(self, held: str, step: int, loss: float, norm: float) -> str:
        run = self.run
        rate = run.learning_rate * float(run.make_schedule().rate(step))
        first = (step - 1) * run.batch_size
        windows = [f"{domain} {window}" for domain, window in self.plan.batch(step - 1)]
        named = ", ".join(windows[:NUM_NAMED]) + (", ..." if len(windows) > NUM_NAMED else "")
        return (
            f"the loss of {run.mixture} at {run.size}, seed {run.seed}, {held}, but is {loss:.6g} "
            f"at step {step:,} (learning rate {rate:.3g} at width 64, gradient norm {norm:.3g}; "
            f"its batch: sequences {first:,} to {first + run.batch_size - 1:,}, windows {named}): "
            "lower training.learning_rate or embedding_learning_rate, or look at that text"
        )


class Stopwatch(pl.Callback):
    """Seconds in data, forward and backward, measured without making an accelerator wait.

    On a CPU every batch is timed. On a GPU events mark every so many batches, and the sums are
    scaled up to all of them.
    """

    def __init__(self) -> None:
        self.seconds = {"data": 0.0, "forward": 0.0, "backward": 0.0}
        self._num_batches = 0
        self._num_timed = 0
        self._is_timed = False
        self._began = 0.0
        self.elapsed = 0.0
        """Seconds of the whole loop, evaluations and saving included."""
        self._ended: float | None = None
        self._marks: list[Any] = []
        self._events: list[list[Any]] = []

    def _mark(self, module: Any) -> None:
        if not self._is_timed:
            return
        if module.device.type == "cuda":
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._marks.append(event)
        else:
            self._marks.append(time.perf_counter())

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Start."""
        self._began = time.perf_counter()

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Stop."""
        self.elapsed = time.perf_counter() - self._began

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        """A batch is there: what passed since the last one was waiting for data."""
        if self._ended is not None:
            self.seconds["data"] += time.perf_counter() - self._ended
        every = TIMED_EVERY if pl_module.device.type == "cuda" else 1
        # Not the first one of a GPU, in which the compiler works: the sums are scaled up.
        self._is_timed = self._num_batches % every == min(1, every - 1)
        self._num_batches += 1
        self._mark(pl_module)

    def on_before_backward(self, trainer: pl.Trainer, pl_module: Any, loss: Any) -> None:
        """The loss is there."""
        self._mark(pl_module)

    def on_after_backward(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """The gradients are there."""
        self._mark(pl_module)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        """Keep the marks of a timed batch."""
        if len(self._marks) == 3:
            self._num_timed += 1
            self._events.append(self._marks)
        self._marks = []
        if pl_module.device.type != "cuda" or len(self._events) >= CHECK_EVERY_STEPS:
            self._read(wait=False)
        self._ended = time.perf_counter()

    def _read(self, *, wait: bool) -> None:
        """Add up the marks that have passed."""
        left = []
        for marks in self._events:
            start, forward, backward = marks
            if isinstance(start, float):
                self.seconds["forward"] += forward - start
                self.seconds["backward"] += backward - forward
            elif wait or backward.query():
                self.seconds["forward"] += start.elapsed_time(forward) / 1000
                self.seconds["backward"] += forward.elapsed_time(backward) / 1000
            else:
                left.append(marks)
        self._events = left

    def totals(self) -> dict[str, float]:
        """Return seconds by phase over the whole attempt."""
        if any(not isinstance(marks[0], float) for marks in self._events):
            torch.cuda.synchronize()
        self._read(wait=True)
        scale = self._num_batches / max(1, self._num_timed)
        return {
            "seconds_data": self.seconds["data"],
            "seconds_forward": scale * self.seconds["forward"],
            "seconds_backward": scale * self.seconds["backward"],
        }
