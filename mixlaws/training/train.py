"""Train one run with Lightning and measure the loss of every validation domain along the way."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from mixlaws.errors import DataError, TrainingError
from mixlaws.provenance import TRAINING_VERSION, versions
from mixlaws.runs.lock import Lock, locked
from mixlaws.runs.progress import PROGRESS_NAME, Progress, device_seconds, read_progress
from mixlaws.runs.run import Run
from mixlaws.training.batches import BatchPlan, BatchStream, Slice, make_loader
from mixlaws.training.corpus import Corpus, num_windows
from mixlaws.training.divergence import Divergence
from mixlaws.training.evaluation import Evaluation
from mixlaws.training.execution import Execution, is_main_process, make_environment, make_strategy
from mixlaws.training.micro_batch import choose_micro_batch, is_out_of_memory, smaller_micro_batch
from mixlaws.training.module import Proxy
from mixlaws.training.record import flops_per_token, make_record, utilisation
from mixlaws.training.states import Checkpoints, StateIO, States, step_of
from mixlaws.training.stopwatch import Stopwatch


@dataclass(frozen=True)
class Result:
    """What one run leaves: rows of the loss table, the record, and what differs between reruns."""

    losses: list[dict[str, Any]]
    record: dict[str, Any]
    timing: dict[str, Any]


@contextmanager
def trained(
    run: Run, corpus: Corpus, *, checkpoints: str | Path, **settings: Any
) -> Iterator[Result]:
    """Train one run to its end, resuming from `checkpoints` if it was interrupted.

    `settings` are those of Execution. The saved states are deleted when the block that writes the
    result down succeeds, unless `keep`; the folder stays locked until then. Of several processes,
    only the first one comes to that block; the others end here.

    Raises DataError when the corpus cannot serve the run or a saved state is another run's,
    ConfigError when the batch cannot be divided over the processes, and TrainingError when the
    loss diverges or the device is too small.
    """
    execution = Execution(**settings)
    torch.set_num_threads(execution.num_threads)
    # cuBLAS is deterministic with a fixed workspace only; it reads this when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # With deterministic algorithms PyTorch would fill all memory that it hands out, to no end here.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    run = replace(run, precision=resolve_precision(run.precision))
    plan = plan_batches(run, corpus)
    states = States(Path(checkpoints), identity_of(run, corpus), training_versions())
    if not is_main_process(execution):
        _Attempt(run, corpus, plan, states, None, execution).fit()
        raise SystemExit(0)
    with locked(states.folder) as lock:
        states.clean()
        attempt = _fit_in_memory(_Attempt(run, corpus, plan, states, lock, execution))
        yield Result(attempt.evaluation.rows, make_record(run, corpus, plan), attempt.timing())
        if not execution.keep:
            states.clear()


def train(run: Run, corpus: Corpus, **options: Any) -> Result:
    """Train one run and return what it leaves; options are those of `trained`."""
    with trained(run, corpus, **options) as result:
        return result


def resolve_precision(precision: str) -> str:
    """Return the precision that `auto` stands for on this machine."""
    if precision != "auto":
        return precision
    return "bf16-mixed" if torch.cuda.is_available() else "32-true"


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
        kept={d: max(1, n // run.sequence_length) for d, n in run.unique_tokens.items()},
    )
    check_epochs(run, plan, corpus)
    return plan


def check_epochs(run: Run, plan: BatchPlan, corpus: Corpus) -> None:
    """Raise DataError when a domain would be repeated more often than allowed.

    Repetition that was asked for, to match the target's, is not counted: the text at hand is.
    """
    for domain, epochs in plan.epochs_of_all_text().items():
        if epochs > run.max_epochs:
            needed = plan.num_draws()[domain] * run.sequence_length
            raise DataError(
                f"domain {domain!r} has {len(corpus.train[domain].tokens):,} training tokens, but "
                f"{run.mixture} at {run.size} draws {needed:,} ({epochs:.2f} epochs, at most "
                f"{run.max_epochs:g} allowed): give the domain more text, lower the number of "
                "tokens, set an upper limit on its share, or raise training.max_epochs"
            )


def identity_of(run: Run, corpus: Corpus) -> dict[str, Any]:
    """Return everything that defines a run, by key: settings, token files, version of training."""
    other = {"vocabulary_size": corpus.vocabulary_size, "training_version": TRAINING_VERSION}
    return run.identity() | corpus.digests() | other


def training_versions() -> dict[str, str]:
    """Return what a resumed run may differ in from its first attempt, and tells."""
    return versions("torch", "lightning", "numpy")


@dataclass
class _Attempt:
    """One try at a run, from the newest state to its end."""

    run: Run
    corpus: Corpus
    plan: BatchPlan
    states: States
    lock: Lock | None
    execution: Execution
    micro_batch: int | None = None
    first_step: int = field(init=False, default=0)
    seconds: float = field(init=False, default=0.0)
    saver: Checkpoints = field(init=False)
    evaluation: Evaluation = field(init=False)
    divergence: Divergence = field(init=False)
    stopwatch: Stopwatch = field(init=False)

    def fit(self) -> None:
        """Let Lightning run the loop."""
        run, execution = self.run, self.execution
        began = time.perf_counter()
        torch.manual_seed(run.seed)
        is_gpu = torch.cuda.is_available()
        compiled = is_gpu if execution.compile == "auto" else bool(execution.compile)
        module = Proxy(run, self.corpus.vocabulary_size, compiled=compiled)
        saved = self.states.newest()
        self.first_step = step_of(saved)
        share = execution.share_of(run.batch_size)
        if self.micro_batch is None:
            before = self.states.micro_batch(saved)
            self.micro_batch = choose_micro_batch(
                module, share, stated=execution.micro_batch_size, before=before
            )
        accumulate = share // self.micro_batch
        self._make_callbacks(accumulate)
        trainer = pl.Trainer(
            max_steps=run.num_steps,
            callbacks=[self.divergence, self.evaluation, self.saver, self.stopwatch],
            gradient_clip_val=run.gradient_clip_norm,
            accumulate_grad_batches=accumulate,
            precision=run.precision,  # type: ignore[arg-type]
            accelerator="auto",
            devices=execution.devices,
            num_nodes=execution.num_nodes,
            strategy=make_strategy(execution),
            # An explicit environment, or Lightning reads SLURM's variables.
            plugins=[make_environment(execution), StateIO(self.states)],
            deterministic=True if not is_gpu else "warn",
            use_distributed_sampler=False,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )

        def position() -> Slice:
            rank = trainer.global_rank
            return Slice(trainer.global_step, accumulate, rank, execution.num_processes)

        tokens = {domain: file.tokens for domain, file in self.corpus.train.items()}
        stream = BatchStream(self.plan, tokens, run.sequence_length, run.num_steps, position)
        # A state that was read is trusted: it has this package's checksum and identity.
        trainer.fit(module, make_loader(stream, is_gpu), ckpt_path=saved, weights_only=False)
        self.seconds = time.perf_counter() - began

    def _make_callbacks(self, accumulate: int) -> None:
        run, execution = self.run, self.execution
        device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
        progress = Progress(
            self.states.folder / PROGRESS_NAME,
            run.num_steps,
            run.batch_tokens,
            execution.num_processes,
            device,
        )
        self.states.kept_micro_batch = self.micro_batch
        self.saver = Checkpoints(self.states, self.lock, execution.every_seconds, accumulate)
        self.evaluation = Evaluation(run, self.corpus, progress, self.saver.stopping)
        self.divergence = Divergence(
            run, self.plan, execution.divergence_margin, self.evaluation.is_due
        )
        self.saver.progress, self.saver.before_save = progress, self.divergence.check
        self.stopwatch = Stopwatch()

    def timing(self) -> dict[str, Any]:
        """Return what differs between equal runs."""
        attempts = read_progress(self.states.folder / PROGRESS_NAME)
        tokens = (self.run.num_steps - self.first_step) * self.run.batch_tokens
        seconds = {"evaluating": self.evaluation.seconds, "saving": self.saver.seconds}
        stepping = self.stopwatch.elapsed - sum(seconds.values())
        device = self.saver.progress.device
        flops = flops_per_token(self.run, self.corpus)
        return {
            "seconds": self.seconds,
            **{f"seconds_{name}": value for name, value in seconds.items()},
            **self.stopwatch.totals(),
            "device_seconds_of_all_attempts": device_seconds(attempts),
            "first_step": self.first_step,
            "micro_batch_size": self.micro_batch,
            # Of this process only; the first rate includes what comes before the first step.
            "tokens_per_second": tokens / max(self.seconds - seconds["evaluating"], 1e-9),
            "tokens_per_second_training": tokens / max(stepping, 1e-9),
            **utilisation(tokens * flops / max(stepping, 1e-9), device, self.execution),
        }


def _fit_in_memory(attempt: _Attempt) -> _Attempt:
    """Fit; where memory runs out, halve the micro-batch once and go on from the last state."""
    try:
        attempt.fit()
    except (RuntimeError, MemoryError) as error:
        micro = attempt.micro_batch or 1
        if not is_out_of_memory(error) or attempt.execution.num_processes > 1:
            raise
        message = str(error)
        smaller = smaller_micro_batch(micro, attempt.run.batch_size)
    else:
        return attempt
    gc.collect()
    torch.cuda.empty_cache()
    run = attempt.run
    print(
        f"out of memory with {micro} sequences per forward pass: going on with {smaller}, "
        f"accumulated to the same batch of {run.batch_size} ({message[:200]})",
        flush=True,
    )
    again = replace(attempt, micro_batch=smaller)
    try:
        if smaller < micro:
            again.fit()
            return again
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        message = str(error)
    raise TrainingError(
        f"{run.mixture} at {run.size} must fit the device, but memory ran out with {micro} and "
        f"with {smaller} sequences of {run.sequence_length} tokens per forward pass: set "
        "training.micro_batch_size lower, take a larger device, or strategy fsdp on several "
        f"({message[:200]})"
    )
