"""Training on one GPU: speed beside a bare loop, precision, resume, several runs at once.

    python benchmarks/gpu.py                  # everything, in the order of importance
    python benchmarks/gpu.py --parts speed --sizes 70M 410M
    python benchmarks/gpu.py --parts profile --sizes 70M    # where the time of a bare step goes
    python benchmarks/gpu.py --small          # on a CPU, at toy size: checks the harness only

Needs torch, lightning and the numpy that they bring; none of the project's other dependencies.
Random-walk tokens, no network. Prints rows as they are measured and writes each to a JSON file;
what no longer fits in --minutes is left out and named, and a part that fails leaves the others be.
MFU: 6 (12 L d^2 + V d) + 6 L T d FLOPs per token over the dense bf16 peak of mixlaws.runs.devices.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import gpu_sharing as sharing
import numpy as np
import torch
from gpu_loops import (
    DEVICE_NAME,
    FULL,
    IS_GPU,
    TOY,
    Bare,
    Scale,
    before_batches,
    make_corpus,
    make_run_of,
    time_ours,
    train,
    utilisation,
    wait,
)

from mixlaws.files import write_json
from mixlaws.provenance import versions

PARTS = ["speed", "precision", "resume", "sharing", "large", "profile"]
SPEED_SIZES = ["70M", "160M", "410M"]
LARGE_SIZES = ["1B"]
BARS = {"70M": 0.27, "160M": 0.34, "410M": 0.42, "1B": 0.46}
AIMS = {"70M": 0.33, "160M": 0.40, "410M": 0.50, "1B": 0.52}
# Seconds that a row takes on an H100, compilation included: what no longer fits is not begun.
SECONDS = {"70M": 35, "160M": 35, "410M": 50, "1B": 90, "precision": 90, "resume": 30}
SHARED_SECONDS, START_SECONDS = 30, 60
STEPS = {"410M": 4, "1B": 2}  # of 6: theirs are long
PATIENCE = 2.5  # a row that takes so many times as long is given up
ROWS_OF_PROFILE = 18


class TooLongError(BaseException):
    """A row took far longer than it should. No Exception: the compiler swallows some of those."""


@dataclass
class Report:
    """The rows so far: printed at once, and in a file that is whole at any moment."""

    path: Path
    deadline: float
    content: dict[str, Any] = field(default_factory=dict)
    heads: tuple[str, ...] = ()

    def row(self, part: str, row: dict[str, Any], **only_in_file: Any) -> None:
        """Add a row; its keys are printed above the first of a kind."""
        self.content.setdefault("rows", []).append({"part": part} | row | only_in_file)
        write_json(self.content, self.path)
        if (heads := (part, *row)) != self.heads:
            print(f"\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
            self.heads = heads
        print(f"| {part} | {' | '.join(map(format_cell, row.values()))} |", flush=True)

    def left(self) -> float:
        """Return the seconds left."""
        return self.deadline - time.monotonic()

    def attempt(self, name: str, seconds: float, act: Callable[[], Any]) -> Any:
        """Do one piece of work if it fits in the time left; print what goes wrong and go on."""
        if seconds > self.left():
            self._miss(name, f"takes about {seconds:.0f} s, but {self.left():.0f} s are left")
            return None
        try:
            with limit(min(self.left(), PATIENCE * seconds)):
                return act()
        except (Exception, TooLongError) as error:  # noqa: BLE001
            traceback.print_exc()
            self._miss(name, f"{type(error).__name__}: {error}"[:500])
        return None

    def _miss(self, name: str, why: str) -> None:
        print(f"\nleft out: {name}: {why}", flush=True)
        self.content.setdefault("left_out", {})[name] = why
        write_json(self.content, self.path)


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise TooLongError in the block after so many seconds."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TooLongError(f"took longer than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(1.0, seconds))
    faulthandler.dump_traceback_later(seconds + 5)  # where it hangs, if it cannot be stopped
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def format_cell(value: Any) -> str:
    """Return a value for the table."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def measure_speed(report: Report, part: str, scale: Scale, size: str) -> None:
    """Add a row for a size, beside a bare loop of the same model in the same process."""
    corpus = make_corpus(scale)
    run = make_run_of(scale, size, num_steps=scale.warmup + STEPS.get(size, scale.steps))
    began = time.perf_counter()
    rate, timing = time_ours(run, corpus, scale.warmup)
    seconds, micro = time.perf_counter() - began, timing["micro_batch_size"]
    row = {"size": size, "tokens_per_second": rate, "mfu": utilisation(run, corpus, rate)}
    row |= {"bar": BARS.get(size), "aim": AIMS.get(size)}
    row |= {"peak_gib": timing["peak_memory_bytes"] / 2**30, "sequences_at_once": micro}
    bare = None
    if report.left() > seconds:  # our own rate counts, with or without its peer
        bare = Bare(run, corpus, micro).rate(scale.warmup)
    report.row(
        part,
        row | {"over_bare_loop": bare and rate / bare},
        bare_tokens_per_second=bare,
        batch_tokens=run.batch_tokens,
        seconds_with_compilation=seconds,
        timing=timing,
    )


def compare_precision(report: Report, scale: Scale, size: str, steps: int) -> None:
    """Add the losses in bf16 and fp32, and the noise between seeds.

    The reference in fp32 is not compiled.
    """
    corpus, found = make_corpus(scale), {}
    changes = {"num_steps": steps, "batch_size": 8, "sequence_length": min(scale.length, 512)}
    for seed in (0, 1):
        for precision in ("32-true", "bf16-mixed"):
            run = make_run_of(scale, size, seed=seed, precision=precision, **changes)
            compiled = IS_GPU and precision == "bf16-mixed"
            losses = train(run, corpus, compile=compiled, micro_batch_size=8).losses
            found[seed, precision] = float(np.mean([row["loss"] for row in losses]))
        one, other = found[seed, "32-true"], found[seed, "bf16-mixed"]
        row = {"size": size, "steps": steps, "seed": seed, "fp32": one, "bf16": other}
        report.row("precision", row | {"difference": other - one})
    between = abs(found[0, "32-true"] - found[1, "32-true"])
    print(f"\ndifference between the seeds in fp32: {between:.4f}", flush=True)


def check_resume(report: Report, scale: Scale, size: str, steps: int) -> None:
    """Add the largest relative difference between a straight and a killed and resumed run."""
    corpus = make_corpus(scale)
    changes = {"num_evaluations": 3, "batch_size": 8, "sequence_length": min(scale.length, 512)}
    run = make_run_of(scale, size, num_steps=steps, **changes)

    def kill(number: int, batch: int) -> None:
        if number == steps // 2 * (run.batch_size // batch):
            os.kill(os.getpid(), signal.SIGTERM)

    straight = train(run, corpus)
    with tempfile.TemporaryDirectory() as folder:
        try:
            with before_batches(kill):
                train(run, corpus, folder)
        except SystemExit as ended:
            print(f"interrupted with status {ended.code}", flush=True)
        resumed = train(run, corpus, folder)
    one, other = (
        np.array([row["loss"] for row in result.losses]) for result in (straight, resumed)
    )
    first = resumed.timing["first_step"]
    if first == 0:
        raise RuntimeError("the killed run left no state: is the temporary folder's disk full?")
    row = {"size": size, "resumed_at": first, "of_steps": steps}
    worst = float(np.max(np.abs(one / other - 1)))
    report.row(
        "resume", row | {"relative_difference": worst, "bit_equal": bool((one == other).all())}
    )


def measure_sharing(report: Report, jobs: list[sharing.Job]) -> None:
    """Add rows for one run and several at once on the device, compiled and not."""
    workers: list[sharing.Worker] = []

    def share(job: sharing.Job) -> bool:
        if not workers:
            workers.extend(sharing.start(job.counts[-1]))
        return sharing.measure(job, workers, partial(add_shared, report, job))

    try:
        for job in jobs:
            name = f"sharing {job.size}, {'compiled' if job.compiled else 'not compiled'}"
            seconds = SHARED_SECONDS + (0 if workers else START_SECONDS)
            if not report.attempt(name, seconds, partial(share, job)):
                sharing.end(workers)  # each may be anywhere in its run
                workers.clear()
    finally:
        sharing.end(workers)


def add_shared(report: Report, job: sharing.Job, row: dict[str, Any]) -> None:
    """Add a row with the utilisation of all runs together."""
    corpus, run = make_corpus(job.scale), make_run_of(job.scale, job.size)
    report.row("sharing", row | {"mfu": utilisation(run, corpus, row["tokens_per_second"])})


def profile(report: Report, scale: Scale, size: str) -> None:
    """Add the operations that a bare step spends its time on."""
    bare = Bare(make_run_of(scale, size), make_corpus(scale))
    for _ in range(scale.warmup):
        bare.take()
    wait()
    kinds = torch.profiler.ProfilerActivity
    with torch.profiler.profile(activities=[kinds.CUDA if IS_GPU else kinds.CPU]) as profiler:
        began = wait()
        bare.take()
        seconds = wait() - began
    key = "self_device_time_total" if IS_GPU else "self_cpu_time_total"
    # An optimizer's step is marked on the device too, around its kernels.
    items = [item for item in profiler.key_averages() if "Optimizer." not in item.key]
    found = sorted(items, key=lambda item: -getattr(item, key))
    busy = sum(getattr(item, key) for item in found) / 1e6
    print(f"\n{size}: a step of {seconds:.3f} s, {busy:.3f} s of it in kernels", flush=True)
    for item in found[:ROWS_OF_PROFILE]:
        own = getattr(item, key) / 1e6
        row = {"size": size, "share": own / busy, "ms": 1000 * own, "calls": item.count}
        report.row("profile", row | {"name": item.key[:90]}, step_seconds=seconds, busy=busy)


def slowest(report: Report, sizes: list[str]) -> str:
    """Return the size furthest below its aim, or the first."""
    found = {
        row["size"]: row["mfu"] / row["aim"]
        for row in report.content.get("rows", [])
        if row["part"] in ("speed", "large") and row["mfu"] and row["aim"]
    }
    return min(found, key=lambda size: found[size]) if found else sizes[0]


def run_parts(report: Report, arguments: argparse.Namespace) -> None:
    """Run what was asked for, by importance."""
    small = arguments.small
    scale = TOY if small else FULL
    sizes = list(TOY.shapes) if small else arguments.sizes or SPEED_SIZES
    large = list(TOY.shapes) if small else LARGE_SIZES
    first, steps = sizes[0], (20, 12) if small else (300, 60)

    def measure(part: str, size: str) -> None:
        act = partial(measure_speed, report, part, scale, size)
        report.attempt(f"{part} {size}", SECONDS.get(size, 40), act)

    def check(name: str, act: Callable[[], None]) -> None:
        report.attempt(name, SECONDS.get(name, 40), act)

    parts: dict[str, Callable[[], object]] = {
        "speed": lambda: [measure("speed", size) for size in sizes],
        "precision": lambda: check(
            "precision", partial(compare_precision, report, scale, first, steps[0])
        ),
        "resume": lambda: check("resume", partial(check_resume, report, scale, first, steps[1])),
        "sharing": lambda: measure_sharing(
            report, sharing.make_jobs(small, arguments.shared_sizes)
        ),
        "large": lambda: [measure("large", size) for size in large],
        "profile": lambda: check(
            "profile", partial(profile, report, scale, slowest(report, sizes))
        ),
    }
    for part, act in parts.items():
        if part in arguments.parts:
            act()


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", help="of the parts speed, precision, resume, profile")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--shared-sizes", nargs="+", choices=["1M", "14M", "31M"])
    parser.add_argument("--minutes", type=float, default=8.0, help="begin nothing that ends later")
    folder = os.environ.get("OUT", "results")
    parser.add_argument("--output", type=Path, default=Path(folder) / "gpu.json")
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    if not (arguments.small or IS_GPU):
        raise SystemExit("no GPU is visible: --small checks the harness on a CPU")
    content = {
        "device": DEVICE_NAME,
        "cuda": torch.version.cuda,
        "versions": versions("torch", "lightning", "numpy"),
        "command": " ".join(["python", *sys.argv]),
    }
    print(content, flush=True)
    report = Report(arguments.output, time.monotonic() + 60 * arguments.minutes, content)
    run_parts(report, arguments)
    print(f"\n{arguments.output}; {report.left():.0f} s left", flush=True)


if __name__ == "__main__":
    main()
