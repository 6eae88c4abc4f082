"""Measure how a run spends its time."""

from __future__ import annotations

import time
from typing import Any

import lightning.pytorch as pl
import torch

from mixlaws.training.divergence import CHECK_EVERY_STEPS

TIMED_EVERY = 16


class Stopwatch(pl.Callback):
    """Measure the seconds in data, forward and backward without making an accelerator wait.

    On a CPU every batch is timed. On a GPU events time one batch in TIMED_EVERY, and the sums are
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
        """Count the time since the last batch as waiting for data."""
        if self._ended is not None:
            self.seconds["data"] += time.perf_counter() - self._ended
        every = TIMED_EVERY if pl_module.device.type == "cuda" else 1
        # Not the first batch on a GPU, which includes compiling.
        self._is_timed = self._num_batches % every == min(1, every - 1)
        self._num_batches += 1
        self._mark(pl_module)

    def on_before_backward(self, trainer: pl.Trainer, pl_module: Any, loss: Any) -> None:
        """Mark the end of the forward pass."""
        self._mark(pl_module)

    def on_after_backward(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Mark the end of the backward pass."""
        self._mark(pl_module)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        """Keep the marks of the batch if it was timed."""
        if len(self._marks) == 3:
            self._num_timed += 1
            self._events.append(self._marks)
        self._marks = []
        if pl_module.device.type != "cuda" or len(self._events) >= CHECK_EVERY_STEPS:
            self._read(wait=False)
        self._ended = time.perf_counter()

    def _read(self, *, wait: bool) -> None:
        """Add up the marks that the device has reached."""
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
