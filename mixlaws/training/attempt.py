"""One attempt at a run: from its newest saved state to its end."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader

from mixlaws.runs.lock import Lock
from mixlaws.runs.progress import PROGRESS_NAME, Progress, device_seconds, read_progress
from mixlaws.runs.run import Run
from mixlaws.training.accelerators import device_name, is_compiled
from mixlaws.training.batches import BatchPlan, BatchStream, Slice, make_loader
from mixlaws.training.checkpoints import Checkpoints
from mixlaws.training.corpus import Corpus
from mixlaws.training.divergence import Divergence
from mixlaws.training.evaluation import Evaluation
from mixlaws.training.execution import Execution
from mixlaws.training.initial import Initial
from mixlaws.training.loggers import Log
from mixlaws.training.micro_batch import choose_micro_batch, is_out_of_memory
from mixlaws.training.module import LanguageModel
from mixlaws.training.record import Counted, Result, count, make_record, utilisation
from mixlaws.training.signals import Signals
from mixlaws.training.states import StateIO, States, step_of
from mixlaws.training.stopwatch import Stopwatch
from mixlaws.training.strategies import make_environment, make_strategy
from mixlaws.training.weights import KeptWeights


@dataclass(frozen=True)
class Training:
    """A run with everything that an attempt at it needs."""

    run: Run
    corpus: Corpus
    plan: BatchPlan
    states: States
    lock: Lock | None
    """None in a process that writes nothing."""
    execution: Execution
    accelerator: str
    """cuda, mps or cpu."""
    initial: Initial | None = None
    """The model that the run starts from; None for random weights."""


class OutOfMemoryError(Exception):
    """The device is too small for this many sequences per forward pass."""

    def __init__(self, micro_batch: int, message: str) -> None:
        super().__init__(message)
        self.micro_batch = micro_batch


def fit(training: Training, micro_batch: int | None = None) -> Result:
    """Train from the newest state to the end; without `micro_batch` the largest that fits.

    Raises OutOfMemoryError where one process trains the run and its memory runs out.
    """
    began = time.perf_counter()
    run, execution, states = training.run, training.execution, training.states
    torch.manual_seed(run.seed)
    compiled = is_compiled(execution.compile, training.accelerator)
    module = LanguageModel(
        run, training.corpus.vocabulary_size, compiled=compiled, initial=training.initial
    )
    saved = states.newest()
    share = execution.share_of(run.batch_size)
    if micro_batch is None:
        micro_batch = choose_micro_batch(
            module,
            share,
            stated=execution.micro_batch_size,
            before=states.micro_batch(saved),
            num_runs=execution.runs_per_device,
        )
    training = replace(training, states=replace(states, kept_micro_batch=micro_batch))
    log = Log(execution.logger, states.folder, run)
    callbacks = make_callbacks(training, log)
    trainer = make_trainer(training, callbacks, accumulate=share // micro_batch)
    try:
        trainer.fit(module, _loader(training, trainer), ckpt_path=saved, weights_only=True)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error) or execution.num_processes > 1:
            raise
        raise OutOfMemoryError(micro_batch, str(error)) from None
    finally:
        log.close()
    seconds = time.perf_counter() - began
    counted = count(run, training.corpus, module.model)
    record = make_record(run, training.corpus, training.plan, counted)
    timing = _timing(training, callbacks, counted, step_of(saved), seconds)
    return Result(callbacks.evaluation.rows, record, timing)


@dataclass(frozen=True)
class Callbacks:
    """What acts between the steps of an attempt, in the order in which it acts."""

    divergence: Divergence
    evaluation: Evaluation
    checkpoints: Checkpoints
    stopwatch: Stopwatch

    def listed(self, training: Training) -> list[pl.Callback]:
        """Return them, with one that keeps the weights if they are to be kept.

        That one comes first: a state of the end would keep a later attempt from writing them.
        """
        kept = [KeptWeights(training.states.folder, training.states.identity)]
        return [*(kept if training.execution.keep_weights else []), *vars(self).values()]


def make_callbacks(training: Training, log: Log) -> Callbacks:
    """Return an attempt's callbacks."""
    run, execution, states = training.run, training.execution, training.states
    signals = Signals()
    progress = Progress(
        states.folder / PROGRESS_NAME,
        run.num_steps,
        run.batch_tokens,
        execution.num_processes,
        device_name(training.accelerator),
    )
    evaluation = Evaluation(run, training.corpus, progress, log, signals.stopping)
    divergence = Divergence(
        run,
        training.plan,
        log,
        margin=execution.divergence_margin,
        is_due=evaluation.is_due,
    )
    checkpoints = Checkpoints(
        states,
        training.lock,
        signals,
        progress,
        every_seconds=execution.every_seconds,
        before_save=divergence.check,
    )
    return Callbacks(divergence, evaluation, checkpoints, Stopwatch())


def make_trainer(training: Training, callbacks: Callbacks, *, accumulate: int) -> pl.Trainer:
    """Return Lightning's trainer; a step is `accumulate` micro-batches."""
    run, execution, accelerator = training.run, training.execution, training.accelerator
    return pl.Trainer(
        max_steps=run.num_steps,
        callbacks=callbacks.listed(training),
        gradient_clip_val=run.gradient_clip_norm,
        accumulate_grad_batches=accumulate,
        precision=run.precision,  # type: ignore[arg-type]
        accelerator=accelerator,
        devices=execution.devices,
        num_nodes=execution.num_nodes,
        strategy=make_strategy(execution),
        # An explicit environment, or Lightning reads SLURM's variables.
        plugins=[make_environment(execution), StateIO(training.states)],
        deterministic=True if accelerator == "cpu" else "warn",
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _loader(training: Training, trainer: pl.Trainer) -> DataLoader:
    """Return the micro-batches of this process, from the trainer's step on."""

    def position() -> Slice:
        return Slice(
            trainer.global_step,
            trainer.accumulate_grad_batches,
            trainer.global_rank,
            training.execution.num_processes,
        )

    run, plan = training.run, training.plan
    tokens = {domain: file.tokens for domain, file in training.corpus.train.items()}
    stream = BatchStream(plan, tokens, run.sequence_length, run.num_steps, position)
    return make_loader(stream, training.accelerator == "cuda")


def _timing(
    training: Training, callbacks: Callbacks, counted: Counted, first_step: int, seconds: float
) -> dict[str, Any]:
    """Return what differs between equal runs: timing.json."""
    run, states, stopwatch = training.run, training.states, callbacks.stopwatch
    attempts = read_progress(states.folder / PROGRESS_NAME)
    tokens = (run.num_steps - first_step) * run.batch_tokens
    parts = {"evaluating": callbacks.evaluation.seconds, "saving": callbacks.checkpoints.seconds}
    stepping = max(stopwatch.elapsed - sum(parts.values()), 1e-9)
    flops = tokens * counted.flops_per_token / stepping
    device = device_name(training.accelerator)
    return {
        "seconds": seconds,
        **{f"seconds_{name}": value for name, value in parts.items()},
        **stopwatch.totals(),
        "device_seconds_of_all_attempts": device_seconds(attempts),
        "first_step": first_step,
        "micro_batch_size": states.kept_micro_batch,
        # Of this process only; the first rate includes what comes before the first step.
        "tokens_per_second": tokens / max(seconds - parts["evaluating"], 1e-9),
        "tokens_per_second_training": tokens / stepping,
        **utilisation(flops, device, training.execution),
    }
