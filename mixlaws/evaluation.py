"""Measure the loss of every validation domain at chosen steps of a run."""

from __future__ import annotations

import time
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

    def __init__(self, run: Run, corpus: Corpus) -> None:
        self.run = run
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

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        """Evaluate when the step is due."""
        if trainer.global_step in self.steps:
            began = time.perf_counter()
            self.rows += self._measure(trainer.global_step, pl_module)
            self.seconds += time.perf_counter() - began
            total = sum(row["loss"] for row in self.rows[-len(self.windows) :])
            print(
                f"step {trainer.global_step:,} of {self.run.num_steps:,}: "
                f"mean validation loss {total / len(self.windows):.4f}",
                flush=True,
            )

    def _measure(self, step: int, module: Any) -> list[dict[str, Any]]:
        """Return one row per validation domain."""
        model = module.averaged.module.eval()
        with torch.inference_mode():
            measured = {
                domain: measure(model, windows.to(module.device))
                for domain, windows in self.windows.items()
            }
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
