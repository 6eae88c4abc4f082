"""Train one run and measure the loss of every validation domain along the way."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mixlaws.errors import DataError, TrainingError
from mixlaws.provenance import TRAINING_VERSION, versions
from mixlaws.runs.lengths import num_windows
from mixlaws.runs.lock import locked
from mixlaws.runs.run import Run
from mixlaws.runs.supply import EPOCHS_TOLERANCE
from mixlaws.training.accelerators import resolve_precision, use_accelerator
from mixlaws.training.attempt import OutOfMemoryError, Training, fit
from mixlaws.training.batches import BatchPlan
from mixlaws.training.corpus import Corpus
from mixlaws.training.execution import Execution, is_main_process
from mixlaws.training.initial import Initial
from mixlaws.training.micro_batch import smaller_micro_batch
from mixlaws.training.record import Result
from mixlaws.training.states import States


def train(run: Run, corpus: Corpus, **options: Any) -> Result:
    """Train one run and return its result; options are those of `trained`."""
    with trained(run, corpus, **options) as result:
        return result


@contextmanager
def trained(
    run: Run,
    corpus: Corpus,
    *,
    checkpoints: str | Path,
    initial: Initial | None = None,
    **settings: Any,
) -> Iterator[Result]:
    """Train one run to its end, resuming from `checkpoints` if it was interrupted.

    `initial` is the model that the run starts from. `settings` are those of Execution. The saved
    states are deleted when the block that writes the result succeeds; until then the folder is
    locked. Where several processes train the run, only the first one enters the block and the
    others exit here.

    Raises DataError when the corpus cannot serve the run or a saved state belongs to another run,
    ConfigError when the batch cannot be divided over the processes, and TrainingError when the
    loss diverges or the device is too small.
    """
    execution = Execution(**settings)
    accelerator = use_accelerator(execution)
    _set_up_torch(execution)
    run = replace(
        run,
        precision=resolve_precision(run.precision, accelerator),
        initial_weights="" if initial is None else initial.sha256,
    )
    plan = plan_batches(run, corpus)
    states = States(Path(checkpoints), identity_of(run, corpus), training_versions())
    if not is_main_process(execution):
        fit(Training(run, corpus, plan, states, None, execution, accelerator, initial))
        raise SystemExit(0)
    with locked(states.folder) as lock:
        states.clean()
        yield _fit_in_memory(
            Training(run, corpus, plan, states, lock, execution, accelerator, initial)
        )
        states.clear()


def _set_up_torch(execution: Execution) -> None:
    torch.set_num_threads(execution.num_threads)
    # cuBLAS is deterministic only with a fixed workspace; it reads this when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # With deterministic algorithms PyTorch would fill all new memory, which nothing here needs.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _fit_in_memory(training: Training) -> Result:
    """Fit; if memory runs out, halve the micro-batch once and resume from the last state."""
    run = training.run
    try:
        return fit(training)
    except OutOfMemoryError as error:
        micro, message = error.micro_batch, str(error)
    # After the handler: the error would keep the first attempt's memory.
    smaller = smaller_micro_batch(micro, run.batch_size)
    _free_memory()
    print(
        f"out of memory with {micro} sequences per forward pass: resuming with {smaller}, "
        f"accumulated to the same batch of {run.batch_size} ({message[:200]})",
        flush=True,
    )
    if smaller < micro:
        try:
            return fit(training, smaller)
        except OutOfMemoryError as error:
            message = str(error)
    raise TrainingError(
        f"{run.mixture} at {run.size} does not fit the device: memory ran out with {micro} and "
        f"with {smaller} sequences of {run.sequence_length} tokens per forward pass "
        f"({message[:200]}). Lower training.micro_batch_size, use a device with more memory, or "
        "strategy fsdp on several"
    )


def _free_memory() -> None:
    gc.collect()
    torch.cuda.empty_cache()


def plan_batches(run: Run, corpus: Corpus) -> BatchPlan:
    """Return the run's batches; raise DataError when a domain would repeat too often."""
    check_epochs(run, corpus)
    windows = {
        domain: num_windows(len(file.tokens), run.sequence_length)
        for domain, file in corpus.train.items()
    }
    return BatchPlan(
        run.proportions,
        windows,
        batch_size=run.batch_size,
        num_steps=run.num_steps,
        seed=run.seed,
        kept={d: max(1, n // run.sequence_length) for d, n in run.unique_tokens.items()},
    )


def check_epochs(run: Run, corpus: Corpus) -> None:
    """Raise DataError when a domain is to be repeated more often than allowed.

    Counted in intended tokens, as the gate counts before any training and the optimum's limits do;
    what is drawn scatters about them. Repetition from training.match_repetition does not count:
    epochs are of all the text at hand.
    """
    tokens = run.num_steps * run.batch_tokens
    for domain, share in run.proportions.items():
        at_hand = len(corpus.train[domain].tokens)
        if share * tokens > run.max_epochs * at_hand * EPOCHS_TOLERANCE:
            raise DataError(
                f"domain {domain!r} is too small: {run.mixture} at {run.size} needs "
                f"{share * tokens:,.0f} of its {at_hand:,} training tokens "
                f"({share * tokens / at_hand:.2f} epochs, training.max_epochs is "
                f"{run.max_epochs:g}). Give the domain more text, lower the number of tokens, "
                "limit its share, or raise training.max_epochs"
            )


def identity_of(run: Run, corpus: Corpus) -> dict[str, Any]:
    """Return everything that defines a run, by key: settings, token files, version of training."""
    other = {"vocabulary_size": corpus.vocabulary_size, "training_version": TRAINING_VERSION}
    return run.identity() | corpus.digests() | other


def training_versions() -> dict[str, str]:
    """Return the versions that may change between two attempts; a change is only printed."""
    return versions("torch", "lightning", "numpy")
