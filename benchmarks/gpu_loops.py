"""What benchmarks/gpu.py measures: runs, the product's own loop, and a bare loop beside it."""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch

from mixlaws.runs.devices import peak_flops
from mixlaws.runs.run import Run, make_run
from mixlaws.runs.shapes import NAMED_SHAPES
from mixlaws.training import attempt
from mixlaws.training import train as training
from mixlaws.training.batches import BatchStream, Slice
from mixlaws.training.corpus import Corpus, TokenFile
from mixlaws.training.micro_batch import choose_micro_batch
from mixlaws.training.model import mean_cross_entropy
from mixlaws.training.module import LanguageModel

IS_GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if IS_GPU else "cpu")
DEVICE_NAME = torch.cuda.get_device_name() if IS_GPU else "cpu"


@dataclass(frozen=True)
class Scale:
    """How large everything is: the real thing, or a check of the harness."""

    shapes: dict[str, tuple[int, int, int]]
    vocabulary: int
    length: int
    batch_size: int
    layout: str = "neox"
    warmup: int = 1
    steps: int = 6


FULL = Scale(NAMED_SHAPES, 50_304, 2048, 256)
TOY = Scale({"tiny": (2, 64, 2)}, 512, 64, 8, steps=4)


def make_corpus(scale: Scale) -> Corpus:
    """Return two domains of a random walk over the vocabulary: something to learn, any length."""
    generator = np.random.default_rng(0)

    def walk(count: int, largest: int) -> np.ndarray:
        steps = generator.integers(1, largest, count)
        return (np.cumsum(steps) % scale.vocabulary).astype(np.uint16)

    count = 400 * scale.length
    files = {n: TokenFile(walk(count, largest), n, 4.0) for n, largest in (("a", 9), ("b", 33))}
    return Corpus(files, files, scale.vocabulary)


def make_run_of(scale: Scale, size: str, **changes: Any) -> Run:
    """Return a run of a named size."""
    layers, width, heads = scale.shapes[size]
    settings = {
        "size": size,
        "mixture": "uniform",
        "seed": 0,
        "proportions": {"a": 0.5, "b": 0.5},
        "num_layers": layers,
        "model_width": width,
        "num_heads": heads,
        "layout": scale.layout,
        "tied_embeddings": False,
        "num_steps": scale.warmup + scale.steps,
        "batch_size": scale.batch_size,
        "sequence_length": scale.length,
        "learning_rate": 0.006,
        "embedding_learning_rate": 0.002,
        "warmup_steps": 100,
        "weight_decay": 0.1,
        "gradient_clip_norm": 1.0,
        "averaging_exponent": 10,
        "num_evaluations": 1,
        "first_evaluation": 1.0,
        "num_validation_windows": 8,
        "max_epochs": 1e9,
    }
    return make_run(settings | changes)


def wait() -> float:
    """Return the time once the device is idle."""
    if IS_GPU:
        torch.cuda.synchronize()
    return time.perf_counter()


def forget() -> None:
    """Give the device's memory back, drop compiled code, and start to count the peak anew.

    The compiler remembers shapes by function: a second model would be compiled for any shape.
    """
    torch._dynamo.reset()
    gc.collect()
    if IS_GPU:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def train(run: Run, corpus: Corpus, folder: str | None = None, **settings: Any) -> training.Result:
    """Train a run with the product's loop; no state is saved on the way."""
    forget()
    with tempfile.TemporaryDirectory() as other:
        return training.train(
            run, corpus, checkpoints=folder or other, every_seconds=1e9, **settings
        )


@contextmanager
def before_batches(act: Callable[[int, int], None]) -> Iterator[None]:
    """Call `act` with its number and size before each micro-batch that the product's loop reads.

    Lightning reads one ahead, so two calls lie as many micro-batches apart as their numbers.
    """
    plain = attempt.make_loader

    class Watched:
        def __init__(self, loader: Any) -> None:
            self.loader = loader

        def __iter__(self) -> Iterator[torch.Tensor]:
            number, size = 0, 0
            for batch in self.loader:
                size = len(batch)
                act(number, size)
                yield batch
                number += 1
            act(number, size)

    attempt.make_loader = lambda stream, is_gpu: Watched(plain(stream, is_gpu))
    try:
        yield
    finally:
        attempt.make_loader = plain


def time_ours(run: Run, corpus: Corpus, warmup: int) -> tuple[float, dict[str, Any]]:
    """Return tokens per second of the product's own loop, and its timing.json."""
    times = []

    def mark(number: int, size: int) -> None:
        accumulate = run.batch_size // size
        if number in (warmup * accumulate, run.num_steps * accumulate):
            times.append(wait())

    with before_batches(mark):
        timing = train(run, corpus).timing
    steps = run.num_steps - warmup
    return steps * run.batch_tokens / (times[1] - times[0]), timing


def be_deterministic() -> None:
    """Set what the product's loop sets, so that both loops run the same kernels."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False


class Bare:
    """The same model in a plain loop: autocast, accumulation, clipping, fused AdamW, average."""

    def __init__(self, run: Run, corpus: Corpus, micro_batch: int | None = None) -> None:
        forget()
        be_deterministic()
        torch.manual_seed(run.seed)
        self.run = run
        self.module = LanguageModel(run, corpus.vocabulary_size, compiled=IS_GPU)
        self.micro_batch = micro_batch or choose_micro_batch(
            self.module, run.batch_size, stated=None
        )
        self.module.to(DEVICE)
        (self.optimizer,), (self.rates,) = self.module.configure_optimizers()
        tokens = {domain: file.tokens for domain, file in corpus.train.items()}
        plan = training.plan_batches(run, corpus)
        stream = BatchStream(plan, tokens, run.sequence_length, run.num_steps, lambda: Slice(0))
        self.batch = next(iter(stream)).to(DEVICE)
        self.step = 0

    def take(self) -> None:
        """Take one step; always on the same batch, which lies on the device."""
        self.step += 1
        module, model = self.module, self.module.model
        parts = self.batch.split(self.micro_batch)
        for part in parts:
            with torch.autocast(DEVICE.type, torch.bfloat16, enabled=IS_GPU):
                hidden = module.hidden(part[:, :-1])
                loss = mean_cross_entropy(hidden, model.head_weight, part[:, 1:], module.kernel)
            (loss / len(parts)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), self.run.gradient_clip_norm)
        self.optimizer.step()
        self.rates["scheduler"].step()
        self.optimizer.zero_grad(set_to_none=True)
        module._average(self.step)

    def rate(self, warmup: int) -> float:
        """Return tokens per second of as many steps as the run has beside the warm-up."""
        for _ in range(warmup):
            self.take()
        began, steps = wait(), self.run.num_steps - warmup
        for _ in range(steps):
            self.take()
        return steps * self.run.batch_tokens / (wait() - began)


def utilisation(run: Run, corpus: Corpus, rate: float) -> float | None:
    """Return the MFU of so many tokens per second, None where the peak is not known."""
    peak = peak_flops(DEVICE_NAME)
    flops = run.shape.flops_per_token(
        vocabulary_size=corpus.vocabulary_size, sequence_length=run.sequence_length
    )
    return rate * flops / peak if peak else None
