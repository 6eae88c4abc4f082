"""When a run saves its state: at intervals, at a signal, and at the end of a long run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl

from mixlaws.runs.lock import Lock
from mixlaws.runs.progress import Progress
from mixlaws.training.signals import STOPPING, Signals, stopping_one
from mixlaws.training.states import States

# Several processes agree on saving once in so many steps: they wait for their devices to do so.
AGREEING_STEPS = 4


class Interrupted(SystemExit):
    """A signal ended the run after its state was saved: not an error, but not a result either."""


class Checkpoints(pl.Callback):
    """Save the state every so many seconds and at a signal.

    SIGUSR1 (a scheduler's warning ahead of a time limit) saves and trains on. SIGTERM and SIGINT
    save and end the process with status 128 + signal; the same command resumes from there.
    `before_save` raises an error where the state is not worth saving.
    """

    def __init__(
        self,
        states: States,
        lock: Lock | None,
        signals: Signals,
        progress: Progress,
        *,
        every_seconds: float,
        before_save: Callable[[pl.Trainer], None],
    ) -> None:
        self.states = states
        self.lock = lock
        self.signals = signals
        self.progress = progress
        self.every_seconds = every_seconds
        self.before_save = before_save
        self.seconds = 0.0
        self._due = time.monotonic() + every_seconds
        self._step = -1
        self._began = time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Take the signals over from Lightning, which restores its predecessors at the end."""
        self._step = trainer.global_step
        if trainer.is_global_zero:
            self.progress.start(self._step)
        self.signals.listen()

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Save when due or asked to, between two optimizer steps."""
        if trainer.global_step == self._step:
            return
        self._step = trainer.global_step
        if trainer.world_size > 1 and self._step % AGREEING_STEPS:
            return
        handled = list(self.signals.pending)  # another may come while these are dealt with
        agree = trainer.strategy.reduce_boolean_decision
        if not agree(bool(handled) or time.monotonic() >= self._due, all=False):
            return
        self.save(trainer)
        stopping = stopping_one(handled)
        if agree(stopping is not None, all=False):
            number = int(stopping or STOPPING[0])
            print(f"ended by signal {number} after step {self._step:,}", flush=True)
            self.note(trainer, f"signal {number}")
            raise Interrupted(128 + number)
        del self.signals.pending[: len(handled)]

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Keep the end of a long run, should its results fail to be written."""
        self.note(trainer, "end")
        if time.monotonic() - self._began >= self.every_seconds:
            self.save(trainer)

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Count micro-batches as this attempt does: the saved ones may have had another size."""
        counts = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        batches = checkpoint["global_step"] * trainer.accumulate_grad_batches
        for scope in ("total", "current"):
            counts[scope] = dict.fromkeys(counts[scope], batches)

    def save(self, trainer: pl.Trainer) -> None:
        """Save the state now, if it is sound."""
        began = time.perf_counter()
        self.before_save(trainer)
        if self.lock is not None:
            self.lock.check()
        path = self.states.folder / f"step-{trainer.global_step:09d}.ckpt"
        trainer.save_checkpoint(path, weights_only=False)
        self._due = time.monotonic() + self.every_seconds
        if path.with_suffix(".json").exists():
            self.note(trainer, "saved")
        self.seconds += time.perf_counter() - began

    def note(self, trainer: pl.Trainer, event: str) -> None:
        """Write the event to the run's progress, once for all processes."""
        if trainer.is_global_zero:
            self.progress.note(event, trainer.global_step)
