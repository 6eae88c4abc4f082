"""Training on one GPU: speed beside a bare loop, precision, resume. Random-walk tokens, no network.

    python benchmarks/gpu.py                  # everything, in the order of importance
    python benchmarks/gpu.py --parts speed --sizes 70M 410M
    python benchmarks/gpu.py --profile 70M    # where the time of a bare step goes
    python benchmarks/gpu.py --small          # on a CPU, at toy size: checks the harness only

Needs torch, lightning and the numpy that they bring; none of the project's other dependencies.
MFU: 6 (12 L d^2 + V d) + 6 L T d FLOPs per token over the dense bf16 peak of mixlaws.devices.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch

from mixlaws.runs.devices import peak_flops
from mixlaws.runs.run import Run, make_run
from mixlaws.runs.shapes import NAMED_SHAPES, Shape
from mixlaws.training import train as training
from mixlaws.training.batches import BatchStream, Slice
from mixlaws.training.corpus import Corpus, TokenFile
from mixlaws.training.micro_batch import choose_micro_batch
from mixlaws.training.model import mean_cross_entropy
from mixlaws.training.module import Proxy

BARS = {"70M": 0.27, "160M": 0.34, "410M": 0.42, "1B": 0.46}
AIMS = {"70M": 0.33, "160M": 0.40, "410M": 0.50, "1B": 0.52}
SMALL = {"tiny": (2, 64, 2)}


@dataclass(frozen=True)
class Scale:
    """How large everything is: the real thing, or a check of the harness."""

    shapes: dict[str, tuple[int, int, int]]
    vocabulary: int
    length: int
    batch_size: int
    warmup: int
    steps: int
    layout: str = "neox"


FULL = Scale(NAMED_SHAPES, 50_304, 2048, 256, 4, 12)
TOY = Scale(SMALL, 512, 64, 8, 2, 4)


def make_corpus(scale: Scale) -> Corpus:
    """Return two domains of a random walk over the vocabulary: something to learn, any length."""
    generator = np.random.default_rng(0)

    def walk(count: int, largest: int) -> np.ndarray:
        steps = generator.integers(1, largest, count)
        return (np.cumsum(steps) % scale.vocabulary).astype(np.uint16)

    count = 400 * scale.length
    files = {n: TokenFile(walk(count, largest), n, 4.0) for n, largest in (("a", 9), ("b", 33))}
    return Corpus(files, files, scale.vocabulary)


def make_run_of(scale: Scale, size: str, **changes: object) -> Run:
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
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def forget() -> None:
    """Give the device's memory back, and start to count its peak anew."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def time_ours(run: Run, corpus: Corpus, scale: Scale) -> tuple[float, float, int]:
    """Return tokens per second, peak GiB and micro-batch of the product's own loop."""
    plain, times = training.make_loader, []

    class Timed:
        def __init__(self, loader) -> None:
            self.loader = loader

        def __iter__(self) -> Iterator[torch.Tensor]:
            accumulate = 0
            for number, batch in enumerate(self.loader):
                accumulate = run.batch_size // len(batch)
                if number == scale.warmup * accumulate:
                    times.append(wait())
                yield batch
            times.append(wait())

    training.make_loader = lambda stream, is_gpu: Timed(plain(stream, is_gpu))
    try:
        with tempfile.TemporaryDirectory() as folder:
            result = training.train(run, corpus, checkpoints=folder, every_seconds=1e9)
    finally:
        training.make_loader = plain
    rate = scale.steps * run.batch_tokens / (times[1] - times[0])
    return rate, result.timing["peak_memory_bytes"] / 2**30, result.timing["micro_batch_size"]


class Bare:
    """The same model in a plain loop: autocast, accumulation, clipping, fused AdamW, average."""

    def __init__(self, run: Run, corpus: Corpus, micro_batch: int) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.run, self.micro_batch = run, micro_batch
        self.module = Proxy(run, corpus.vocabulary_size, compiled=self.device.type == "cuda")
        self.module.to(self.device)
        (self.optimizer,), (self.rates,) = self.module.configure_optimizers()
        tokens = {domain: file.tokens for domain, file in corpus.train.items()}
        plan = training.plan_batches(run, corpus)
        stream = BatchStream(plan, tokens, run.sequence_length, run.num_steps, lambda: Slice(0))
        self.batch = next(iter(stream)).to(self.device)
        self.step = 0

    def take(self) -> None:
        """Take one step; always on the same batch, which lies on the device."""
        self.step += 1
        module, model = self.module, self.module.model
        parts = self.batch.split(self.micro_batch)
        half = self.device.type == "cuda"
        for part in parts:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
                hidden = module.hidden(part[:, :-1])
                loss = mean_cross_entropy(hidden, model.head_weight, part[:, 1:], module.kernel)
            (loss / len(parts)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), self.run.gradient_clip_norm)
        self.optimizer.step()
        self.rates["scheduler"].step()
        self.optimizer.zero_grad(set_to_none=True)
        module._average(self.step)

    def rate(self, scale: Scale) -> float:
        """Return tokens per second after a warm-up."""
        for _ in range(scale.warmup):
            self.take()
        began = wait()
        for _ in range(scale.steps):
            self.take()
        return scale.steps * self.run.batch_tokens / (wait() - began)


def compare_speed(scale: Scale, sizes: list[str]) -> None:
    """Print one row per size."""
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    peak = peak_flops(name)
    print(f"\n{name}, sequence {scale.length}, {scale.batch_size * scale.length:,} tokens a step\n")
    print("| size | tokens/s | MFU | bar | aim | peak GiB | sequences at once | / bare loop |")
    print("|---|---|---|---|---|---|---|---|")
    corpus = make_corpus(scale)
    for size in sizes:
        run = make_run_of(scale, size)
        forget()
        rate, memory, micro = time_ours(run, corpus, scale)
        forget()
        bare = Bare(run, corpus, micro).rate(scale)
        flops = Shape(*scale.shapes[size], scale.layout).flops_per_token(
            vocabulary_size=scale.vocabulary, sequence_length=scale.length
        )
        mfu = f"{rate * flops / peak:.1%}" if peak else "unknown peak"
        bars = [f"{100 * values[size]:.0f} %" if size in values else "" for values in (BARS, AIMS)]
        print(
            f"| {size} | {rate:,.0f} | {mfu} | {' | '.join(bars)} | {memory:.1f} | {micro} | "
            f"{rate / bare:.3f} |",
            flush=True,
        )


def compare_precision(scale: Scale, size: str, steps: int) -> None:
    """Print the final loss in bf16 and fp32, beside the noise between seeds."""
    corpus, small = make_corpus(scale), min(scale.length, 512)
    changes = {"num_steps": steps, "batch_size": 16, "sequence_length": small}
    print(f"\n{size}, loss after {steps} steps\n\n| seed | 32-true | bf16-mixed | difference |")
    print("|---|---|---|---|")
    found = {}
    for seed in (0, 1, 2):
        for precision in ("32-true", "bf16-mixed"):
            run = make_run_of(scale, size, seed=seed, precision=precision, **changes)
            forget()
            with tempfile.TemporaryDirectory() as folder:
                result = training.train(run, corpus, checkpoints=folder, every_seconds=1e9)
            found[seed, precision] = float(np.mean([row["loss"] for row in result.losses]))
        one, other = found[seed, "32-true"], found[seed, "bf16-mixed"]
        print(f"| {seed} | {one:.4f} | {other:.4f} | {other - one:+.4f} |", flush=True)
    noise = np.std([found[seed, "32-true"] for seed in (0, 1, 2)], ddof=1)
    print(f"\nstandard deviation between seeds: {noise:.4f}", flush=True)


def interrupt(run: Run, corpus: Corpus, folder: str, step: int) -> None:
    """Train until SIGTERM comes at a step, as from a scheduler."""
    plain = training.make_loader

    class Killing:
        def __init__(self, loader) -> None:
            self.loader = loader

        def __iter__(self) -> Iterator[torch.Tensor]:
            for number, batch in enumerate(self.loader):
                if number == step * (run.batch_size // len(batch)):
                    os.kill(os.getpid(), signal.SIGTERM)
                yield batch

    training.make_loader = lambda stream, is_gpu: Killing(plain(stream, is_gpu))
    try:
        training.train(run, corpus, checkpoints=folder, every_seconds=1e9)
    except SystemExit as ended:
        print(f"interrupted with status {ended.code}", flush=True)
    finally:
        training.make_loader = plain


def check_resume(scale: Scale, size: str, steps: int) -> None:
    """Print the largest relative difference between a straight and a resumed run."""
    corpus = make_corpus(scale)
    run = make_run_of(scale, size, num_steps=steps, batch_size=8, num_evaluations=3)
    losses = []
    with tempfile.TemporaryDirectory() as folder:
        straight = training.train(run, corpus, checkpoints=folder, every_seconds=1e9)
        losses.append([row["loss"] for row in straight.losses])
        with tempfile.TemporaryDirectory() as other:
            interrupt(run, corpus, other, steps // 2)
            resumed = training.train(run, corpus, checkpoints=other, every_seconds=1e9)
            losses.append([row["loss"] for row in resumed.losses])
    worst = np.max(np.abs(np.array(losses[0]) / np.array(losses[1]) - 1))
    print(
        f"\nresumed at step {resumed.timing['first_step']} of {steps}: losses differ by at most "
        f"{worst:.1e}, relative (bar 1e-6)",
        flush=True,
    )


def profile(scale: Scale, size: str) -> None:
    """Print the operations that a bare step spends its time on."""
    corpus = make_corpus(scale)
    run = make_run_of(scale, size)
    module = Proxy(run, corpus.vocabulary_size)
    micro = choose_micro_batch(module, run.batch_size, stated=None)
    bare = Bare(run, corpus, micro)
    for _ in range(scale.warmup):
        bare.take()
    wait()
    with torch.profiler.profile() as profiler:
        for _ in range(2):
            bare.take()
        wait()
    key = "self_cuda_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
    print(profiler.key_averages().table(sort_by=key, row_limit=25))


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=list(BARS))
    parts = ["speed", "precision", "resume"]
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--profile", metavar="SIZE")
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    if not (arguments.small or torch.cuda.is_available()):
        raise SystemExit("no GPU is visible: --small checks the harness on a CPU")
    scale, sizes = (TOY, list(SMALL)) if arguments.small else (FULL, arguments.sizes)
    if arguments.profile:
        profile(scale, sizes[0] if arguments.small else arguments.profile)
        return
    if "speed" in arguments.parts:
        compare_speed(scale, sizes)
    if "precision" in arguments.parts:
        compare_precision(scale, sizes[0], 20 if arguments.small else 500)
    if "resume" in arguments.parts:
        check_resume(scale, sizes[0], 12 if arguments.small else 60)


if __name__ == "__main__":
    main()
