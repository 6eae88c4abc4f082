"""The records of a finished run: run.json, which is the same for every undisturbed repetition, and
the part of timing.json that depends on the device.
"""

from __future__ import annotations

import resource
from dataclasses import asdict, dataclass
from typing import Any

import torch

from mixlaws.provenance import TRAINING_VERSION, versions
from mixlaws.runs.devices import peak_flops
from mixlaws.runs.run import Run
from mixlaws.training.batches import BatchPlan
from mixlaws.training.corpus import Corpus
from mixlaws.training.execution import Execution
from mixlaws.training.initial import Model
from mixlaws.training.pretrained import Pretrained


@dataclass(frozen=True)
class Result:
    """The result of a run: the rows of losses.csv, run.json and timing.json."""

    losses: list[dict[str, Any]]
    record: dict[str, Any]
    timing: dict[str, Any]


@dataclass(frozen=True)
class Counted:
    """The size of a run's model."""

    num_params: int
    """N, without embedding and head."""
    flops_per_token: int
    """Of training, by the convention of mixlaws.runs.shapes."""


def count(run: Run, corpus: Corpus, model: Model) -> Counted:
    """Return the size of a run's model; that of a model from elsewhere is counted in its weights.

    Its matrices are then N, and the vocabulary head is counted whether it is tied or not.
    """
    if isinstance(model, Pretrained):
        num_params = model.num_non_embedding_params()
        attention = run.num_layers * run.sequence_length * run.model_width
        flops = 6 * (num_params + model.head_weight.numel() + attention)
        return Counted(num_params, flops)
    flops = run.shape.flops_per_token(
        vocabulary_size=corpus.vocabulary_size, sequence_length=run.sequence_length
    )
    return Counted(run.shape.num_params, flops)


def make_record(run: Run, corpus: Corpus, plan: BatchPlan, counted: Counted) -> dict[str, Any]:
    """Return the content of run.json."""
    flops = counted.flops_per_token
    tokens = run.num_steps * run.batch_tokens
    return asdict(run) | {
        "num_params": counted.num_params,
        "flops_per_token": flops,
        "flops": flops * tokens,
        "tokens": tokens,
        "batch_tokens": run.batch_tokens,
        "vocabulary_size": corpus.vocabulary_size,
        "intended_tokens": {domain: share * tokens for domain, share in run.proportions.items()},
        "realised_tokens": {d: n * run.sequence_length for d, n in plan.num_draws().items()},
        "epochs": plan.epochs(),
        "token_files": corpus.digests(),
        "fingerprints": corpus.fingerprints(),
        "training_version": TRAINING_VERSION,
        "versions": versions("torch", "lightning", "numpy"),
    }


def utilisation(flops_per_second: float, device: str, execution: Execution) -> dict[str, Any]:
    """Return the share of the devices' peak, and the memory of one of them."""
    peak = peak_flops(device)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if torch.cuda.is_available():
        memory = torch.cuda.max_memory_allocated()
    return {
        "mfu": None if peak is None else flops_per_second / peak / execution.num_processes,
        "peak_memory_bytes": memory,
        "num_devices": execution.num_processes,
        "device": device,
    }
