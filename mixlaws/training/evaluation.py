"""Measure the loss of every validation domain at chosen steps of a run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import lightning.pytorch as pl
import torch

from mixlaws.runs.lengths import evaluation_steps
from mixlaws.runs.progress import Progress
from mixlaws.runs.run import Run
from mixlaws.training.batches import validation_windows
from mixlaws.training.corpus import Corpus
from mixlaws.training.loggers import Log
from mixlaws.training.module import measure, sum_type

# Windows per forward pass, fewer if they are long. Fixed, because sums depend on the grouping.
EVALUATION_BATCH = 32
EVALUATION_TOKENS = 2**16


class Evaluation(pl.Callback):
    """Measure every validation domain at chosen steps, on the same windows in every run."""

    def __init__(
        self,
        run: Run,
        corpus: Corpus,
        progress: Progress,
        log: Log,
        stopping: Callable[[], bool],
    ) -> None:
        self.run = run
        self._log = log  # Lightning gives every callback another `log`
        self.progress = progress
        self.stopping = stopping
        self.corpus = corpus
        self.steps = set(
            evaluation_steps(
                run.num_steps, run.num_evaluations, run.first_evaluation, run.evaluation_spacing
            )
        )
        if run.initial_weights:
            self.steps.add(0)  # the losses of the model that the run starts from
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
        """Restore the losses measured before the checkpoint."""
        self.rows = state_dict["rows"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Repeat an evaluation that a signal interrupted."""
        self._evaluate(trainer, pl_module)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        """Evaluate when the step is due."""
        self._evaluate(trainer, pl_module)

    def is_due(self, step: int) -> bool:
        """Return whether a step still has to be measured."""
        return step in self.steps and not any(row["step"] == step for row in self.rows)

    def _evaluate(self, trainer: pl.Trainer, pl_module: Any) -> None:
        step = trainer.global_step
        if not self.is_due(step):
            return
        began = time.perf_counter()
        measured = self._measure(trainer, pl_module)
        self.seconds += time.perf_counter() - began
        if measured is None:
            return
        self.rows += self._rows(step, measured)
        if trainer.is_global_zero:
            mean = sum(loss for loss, _ in measured.values()) / len(measured)
            rate = self.progress.report(step, mean)
            losses = {f"validation_loss/{name}": loss for name, (loss, _) in measured.items()}
            self._log.write(step, losses | {"tokens_per_second": rate})

    def _measure(self, trainer: pl.Trainer, module: Any) -> dict[str, tuple[float, float]] | None:
        """Return loss and accuracy by validation domain, or None if a signal ends the run.

        Several processes share the windows of each domain.
        """
        model = module.measured.eval()
        agree = trainer.strategy.reduce_boolean_decision
        measured = {}
        with torch.no_grad(), trainer.precision_plugin.forward_context():
            for domain, windows in self.windows.items():
                if agree(self.stopping(), all=False):
                    return None
                share = windows[trainer.global_rank :: trainer.world_size]
                sums = torch.zeros(2, dtype=sum_type(module.device), device=module.device)
                for batch in share.split(self._batch_size):
                    sums += measure(model, batch.to(module.device))
                sums = trainer.strategy.reduce(sums, reduce_op="sum")
                loss, hits = (sums / (windows.shape[0] * self.run.sequence_length)).tolist()
                measured[domain] = (loss, hits)
        module.end_measuring()
        return measured

    @property
    def _batch_size(self) -> int:
        """Return windows per forward pass."""
        return max(1, min(EVALUATION_BATCH, EVALUATION_TOKENS // self.run.sequence_length))

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
                # math, not numpy: a saved state holds the rows, and only plain types.
                "bits_per_byte": loss
                / math.log(2)
                / self.corpus.validation[domain].bytes_per_token,
            }
            for domain, (loss, accuracy) in measured.items()
        ]
