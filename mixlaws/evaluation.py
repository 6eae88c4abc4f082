"""Measure the loss of every validation domain at chosen steps of a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mixlaws.data import Corpus, validation_windows
from mixlaws.plan import Run

EVALUATION_BATCH = 32  # windows per forward pass; fixed, because sums depend on the grouping


def evaluation_steps(num_steps: int, count: int, first: float) -> list[int]:
    """Return `count` log-spaced steps from `first` of the run to its end, without repeats."""
    steps = np.geomspace(max(1.0, first * num_steps), num_steps, count)
    return sorted(set(steps.round().astype(int).tolist()))


class Evaluation(pl.Callback):
    """Measure every validation domain at chosen steps, on the averaged weights."""

    def __init__(self, run: Run, corpus: Corpus, stopping: Callable[[], bool]) -> None:
        self.run = run
        self.stopping = stopping
        self.corpus = corpus
        self.steps = set(evaluation_steps(run.num_steps, run.num_evaluations, run.first_evaluation))
        self.rows: list[dict[str, Any]] = []
        self.seconds = 0.0
        self.windows = {
            domain: validation_windows(
                file.tokens,
                sequence_length=run.sequence_length,
                count=run.num_validation_windows,
                domain=domain,
            )
            for domain, file in corpus.validation.items()
        }

    def state_dict(self) -> dict[str, Any]:
        """Save the losses measured so far with the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the losses measured before the checkpoint."""
        self.rows = state_dict["rows"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Make up for an evaluation that a signal cut short."""
        self._evaluate(trainer, pl_module)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        """Evaluate when the step is due."""
        self._evaluate(trainer, pl_module)

    def _evaluate(self, trainer: pl.Trainer, pl_module: Any) -> None:
        step = trainer.global_step
        if step not in self.steps or any(row["step"] == step for row in self.rows):
            return
        began = time.perf_counter()
        measured = self._measure(pl_module)
        self.seconds += time.perf_counter() - began
        if measured is None:
            return
        self.rows += self._rows(step, measured)
        total = sum(loss for loss, _ in measured.values())
        print(
            f"step {step:,} of {self.run.num_steps:,}: "
            f"mean validation loss {total / len(self.windows):.4f}",
            flush=True,
        )

    def _measure(self, module: Any) -> dict[str, tuple[float, float]] | None:
        """Return loss and accuracy by validation domain; None when a signal ends the run."""
        model = module.averaged.module.eval()
        measured = {}
        with torch.inference_mode():
            for domain, windows in self.windows.items():
                if self.stopping():
                    return None
                measured[domain] = measure(model, windows.to(module.device))
        return measured

    def _rows(self, step: int, measured: Mapping[str, tuple[float, float]]) -> list[dict[str, Any]]:
        """Return one row of the loss table per validation domain."""
        return [
            {
                "size": self.run.size,
                "mixture": self.run.mixture,
                "seed": self.run.seed,
                "step": step,
                "tokens": step * self.run.batch_tokens,
                "validation_domain": domain,
                "loss": loss,
                "accuracy": accuracy,
                "bits_per_byte": loss / np.log(2) / self.corpus.validation[domain].bytes_per_token,
            }
            for domain, (loss, accuracy) in measured.items()
        ]


def measure(model: nn.Module, windows: torch.Tensor) -> tuple[float, float]:
    """Return mean loss in nats per token and next-token accuracy over windows (n, T + 1)."""
    loss, hits = 0.0, 0
    for batch in windows.split(EVALUATION_BATCH):
        logits = model(batch[:, :-1]).flatten(0, 1).float()
        targets = batch[:, 1:].flatten()
        loss += functional.cross_entropy(logits, targets, reduction="sum").double().item()
        hits += int((logits.argmax(dim=-1) == targets).sum())
    count = windows.shape[0] * (windows.shape[1] - 1)
    return loss / count, hits / count
