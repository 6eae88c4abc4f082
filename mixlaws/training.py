"""Train one run with Lightning and measure the loss of every validation domain along the way."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.plugins.environments import LightningEnvironment
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from mixlaws.checkpoints import Checkpoints, StateIO, States
from mixlaws.data import BatchPlan, BatchStream, Corpus, num_windows
from mixlaws.errors import DataError
from mixlaws.evaluation import Evaluation
from mixlaws.locks import locked
from mixlaws.model import Transformer
from mixlaws.plan import Run
from mixlaws.runtime import source_digest, versions

TRAINING_SOURCES = ("model.py", "data.py", "training.py", "sizes.py")
REFERENCE_WIDTH = 64  # the model width at which learning_rate is stated


@dataclass(frozen=True)
class Result:
    """What one run leaves: rows of the loss table, the record, and what differs between reruns."""

    losses: list[dict[str, Any]]
    record: dict[str, Any]
    timing: dict[str, float]


def parameter_groups(model: nn.Module, run: Run) -> list[dict[str, Any]]:
    """Return AdamW groups: hidden rates fall as 1 / width, the embedding keeps its own.

    So one base rate serves all sizes (the maximal-update rule of Yang et al. 2022, table 3).
    """
    hidden_rate = run.learning_rate * REFERENCE_WIDTH / run.model_width
    groups: dict[str, list[nn.Parameter]] = {"embedding": [], "hidden": [], "gain": []}
    for name, parameter in model.named_parameters():
        kind = "gain" if parameter.ndim < 2 else "hidden"
        groups["embedding" if name.startswith("embedding") else kind].append(parameter)
    decay = run.weight_decay
    return [
        {"params": groups["embedding"], "lr": run.embedding_learning_rate, "weight_decay": decay},
        {"params": groups["hidden"], "lr": hidden_rate, "weight_decay": decay},
        {"params": groups["gain"], "lr": hidden_rate, "weight_decay": 0.0},
    ]


class Proxy(pl.LightningModule):
    """A transformer, its optimizer, and the running average of its weights."""

    def __init__(self, run: Run, vocabulary_size: int) -> None:
        super().__init__()
        self.run = run
        self.model = Transformer(
            run.shape, vocabulary_size=vocabulary_size, sequence_length=run.sequence_length
        )
        self.averaged = AveragedModel(self.model, multi_avg_fn=self._average)

    def _average(self, averaged: Any, current: Any, num_averaged: torch.Tensor | int) -> None:
        """Average weights by a power law: every point of a run is comparable, without annealing.

        Source: Karras et al. 2024 (arXiv 2312.02696), equation 1.
        """
        kept = (1 - 1 / (int(num_averaged) + 1)) ** (self.run.averaging_exponent + 1)
        for mean, value in zip(averaged, current, strict=True):
            mean.lerp_(value, 1 - kept)

    def training_step(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the mean loss in nats of batch (B, T + 1)."""
        logits = self.model(batch[:, :-1])
        return functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())

    def configure_optimizers(self) -> Any:
        """Return AdamW with a linear warm-up to a constant rate."""
        groups = parameter_groups(self.model, self.run)
        optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.95), fused=True)
        warmup = max(1, self.run.warmup_steps)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1.0, (step + 1) / warmup)
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Take the step, then let the new weights enter the average."""
        super().optimizer_step(*args, **kwargs)
        self.averaged.update_parameters(self.model)


def check_epochs(run: Run, plan: BatchPlan, corpus: Corpus) -> None:
    """Raise DataError when a domain would be repeated more often than allowed."""
    for domain, epochs in plan.epochs().items():
        if epochs > run.max_epochs:
            needed = plan.num_draws()[domain] * run.sequence_length
            raise DataError(
                f"domain {domain!r} has {len(corpus.train[domain].tokens):,} training tokens, but "
                f"{run.mixture} at {run.size} draws {needed:,} ({epochs:.2f} epochs, at most "
                f"{run.max_epochs:g} allowed): give the domain more text, lower the number of "
                "tokens, set an upper limit on its share, or raise training.max_epochs"
            )


@contextmanager
def trained(
    run: Run,
    corpus: Corpus,
    *,
    checkpoints: str | Path,
    every_seconds: float,
    num_threads: int = 1,
    keep: bool = False,
) -> Iterator[Result]:
    """Train one run to its end, resuming from `checkpoints` if it was interrupted.

    The saved states are deleted when the block that writes the result down succeeds, unless
    `keep`; the folder stays locked until then. Raises DataError when the corpus cannot serve the
    run or a saved state is another run's.
    """
    began = time.perf_counter()
    torch.set_num_threads(num_threads)
    plan = plan_batches(run, corpus)
    states = States(Path(checkpoints), identity_of(run, corpus), training_versions())
    with locked(states.folder) as lock:
        saver = Checkpoints(states, lock, every_seconds)
        evaluation = Evaluation(run, corpus, saver.stopping)
        first_step = _fit(run, corpus, plan, evaluation, saver)
        timing = _timing(run, began, first_step, evaluation.seconds)
        yield Result(evaluation.rows, _record(run, corpus, plan), timing)
        if not keep:
            states.clear()


def train(run: Run, corpus: Corpus, **options: Any) -> Result:
    """Train one run and return what it leaves; options are those of `trained`."""
    with trained(run, corpus, **options) as result:
        return result


def plan_batches(run: Run, corpus: Corpus) -> BatchPlan:
    """Return the run's batches; raise DataError when a domain would repeat too often."""
    windows = {
        domain: num_windows(len(file.tokens), run.sequence_length)
        for domain, file in corpus.train.items()
    }
    plan = BatchPlan(
        run.proportions,
        windows,
        batch_size=run.batch_size,
        num_steps=run.num_steps,
        seed=run.seed,
    )
    check_epochs(run, plan, corpus)
    return plan


def identity_of(run: Run, corpus: Corpus) -> dict[str, Any]:
    """Return everything that defines a run, by key: its settings and its token files."""
    identity = {name: value for name, value in asdict(run).items() if name != "max_epochs"}
    return identity | corpus.digests() | {"vocabulary_size": corpus.vocabulary_size}


def training_versions() -> dict[str, str]:
    """Return what a resumed run may differ in from its first attempt, and tells."""
    return versions("torch", "lightning", "numpy") | {"mixlaws": source_digest(*TRAINING_SOURCES)}


def _fit(
    run: Run, corpus: Corpus, plan: BatchPlan, evaluation: Evaluation, saver: Checkpoints
) -> int:
    """Let Lightning run the loop; return the step it started from."""
    torch.manual_seed(run.seed)
    module = Proxy(run, corpus.vocabulary_size)
    trainer = pl.Trainer(
        max_steps=run.num_steps,
        callbacks=[evaluation, saver],
        gradient_clip_val=run.gradient_clip_norm,
        accelerator="auto",
        devices=1,
        # An explicit environment, or Lightning reads SLURM's variables.
        plugins=[LightningEnvironment(), StateIO(saver.states)],
        deterministic=True,
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    first_steps = [run.num_steps]

    def first_step() -> int:
        first_steps.append(trainer.global_step)
        return trainer.global_step

    tokens = {domain: file.tokens for domain, file in corpus.train.items()}
    stream = BatchStream(plan, tokens, run.sequence_length, run.num_steps, first_step)
    trainer.fit(
        module,
        DataLoader(stream, batch_size=None),
        ckpt_path=saver.states.newest(),
        weights_only=False,
    )
    return first_steps[-1]


def _record(run: Run, corpus: Corpus, plan: BatchPlan) -> dict[str, Any]:
    """Return what run.json holds: the same for every undisturbed repetition."""
    flops = run.shape.flops_per_token(
        vocabulary_size=corpus.vocabulary_size, sequence_length=run.sequence_length
    )
    tokens = run.num_steps * run.batch_tokens
    return asdict(run) | {
        "num_params": run.shape.num_params,
        "flops_per_token": flops,
        "flops": flops * tokens,
        "tokens": tokens,
        "batch_tokens": run.batch_tokens,
        "schedule": "constant",
        "vocabulary_size": corpus.vocabulary_size,
        "intended_tokens": {domain: share * tokens for domain, share in run.proportions.items()},
        "realised_tokens": {d: n * run.sequence_length for d, n in plan.num_draws().items()},
        "epochs": plan.epochs(),
        "token_files": corpus.digests(),
        "source_digest": source_digest(*TRAINING_SOURCES),
        "versions": versions("torch", "lightning", "numpy"),
    }


def _timing(run: Run, began: float, first_step: int, evaluating: float) -> dict[str, float]:
    """Return what differs between equal runs; rates count the steps of this process only."""
    seconds = time.perf_counter() - began
    tokens = (run.num_steps - first_step) * run.batch_tokens
    return {
        "seconds": seconds,
        "seconds_evaluating": evaluating,
        "first_step": first_step,
        "tokens_per_second": tokens / max(seconds - evaluating, 1e-9),
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
