"""Several runs at once on one device: tokens per second of all together beside one alone.

Each run is a process with the product's own loop. They start and compile first; then the parent
lets one, two, four and eight of them take so many steps, and the others wait.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from gpu_loops import Scale, before_batches, make_corpus, make_run_of, train, wait

# 1M: the batch, length and vocabulary of benchmarks/training.py. The others as in a real sweep.
DEMO_LIKE = Scale({"1M": (5, 128, 4)}, 1024, 128, 8, layout="rope", steps=300)
SWEEP_LIKE = Scale({"14M": (6, 128, 4), "31M": (6, 256, 8)}, 50_304, 2048, 16, steps=20)
TOY_SHARED = Scale({"tiny": (2, 64, 2)}, 512, 64, 8, steps=3)
WARMUP = 6
START_SECONDS = 150


@dataclass(frozen=True)
class Job:
    """One run of every worker: so many turns of `scale.steps` steps after a warm-up."""

    scale: Scale
    size: str
    compiled: bool
    counts: tuple[int, ...]
    """How many take turns together; all workers in the last one."""


class Worker:
    """A process that trains when told to."""

    def __init__(self, number: int) -> None:
        # Few compiler threads each: they all compile at once.
        environment = os.environ | {"TORCHINDUCTOR_COMPILE_THREADS": "4"}
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        self.number = number
        self.lines: list[str] = []
        self.answers: queue.Queue[float | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line)
            if line.startswith("TOOK"):
                self.answers.put(float(line.split()[1]))
        self.answers.put(None)

    def tell(self, line: str) -> None:
        """Send one line."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self, seconds: float) -> float:
        """Return the seconds that the worker says it took."""
        try:
            took = self.answers.get(timeout=seconds)
        except queue.Empty:
            took = None
        if took is None:
            raise RuntimeError(f"worker {self.number} ended:\n{''.join(self.lines[-20:])}")
        return took


def measure(job: Job, workers: list[Worker], write: Callable[[dict[str, Any]], None]) -> bool:
    """Write one row per count of runs at once; return True, for all were written."""
    turns = [sum(count > number for count in job.counts) for number in range(len(workers))]
    orders = [
        json.dumps(asdict(job.scale) | {"size": job.size, "compiled": job.compiled, "turns": n})
        for n in turns
    ]
    # The first one compiles for all: the others find what it wrote.
    for group in (workers[:1], workers[1:]):
        for worker in group:
            worker.tell(orders[worker.number])
        for worker in group:
            worker.answer(START_SECONDS)
    tokens, alone = job.scale.steps * job.scale.batch_size * job.scale.length, 0.0
    for count in job.counts:
        for worker in workers[:count]:
            worker.tell("go")
        slowest = max(worker.answer(60) for worker in workers[:count])
        rate = count * tokens / slowest
        alone = alone or rate
        write(
            {
                "size": job.size,
                "compiled": job.compiled,
                "tokens_a_step": tokens // job.scale.steps,
                "vocabulary": job.scale.vocabulary,
                "runs_at_once": count,
                "tokens_per_second": rate,
                "ms_a_step": 1000 * slowest / job.scale.steps,
                "times_one": rate / alone,
            }
        )
    return True


def make_jobs(is_small: bool, sizes: list[str] | None) -> list[Job]:
    """Return the jobs by importance."""
    if is_small:
        return [Job(TOY_SHARED, "tiny", False, (1, 2))]
    scales = {size: scale for scale in (DEMO_LIKE, SWEEP_LIKE) for size in scale.shapes}
    jobs = [Job(scales[size], size, True, (1, 2, 4, 8)) for size in sizes or scales]
    jobs += [Job(scales[size], size, False, (1, 8)) for size in sizes or scales]
    return jobs


def start(count: int) -> list[Worker]:
    """Start so many workers."""
    return [Worker(number) for number in range(count)]


def end(workers: list[Worker]) -> None:
    """End the workers that this module started."""
    for worker in workers:
        worker.process.kill()
    for worker in workers:
        worker.process.wait()


def work(order: dict[str, Any]) -> None:
    """Train one run in turns: wait for a line, take so many steps, say how long they took."""
    size, compiled, turns = order.pop("size"), order.pop("compiled"), order.pop("turns")
    scale = Scale(**order)
    run = make_run_of(scale, size, num_steps=WARMUP + turns * scale.steps)
    began = 0.0

    def gate(number: int, batch: int) -> None:
        nonlocal began
        if batch != scale.batch_size:
            raise RuntimeError(f"a step has several micro-batches: {scale.batch_size}/{batch}")
        number -= WARMUP
        if number < 0 or number % scale.steps:
            return
        print("TOOK", wait() - began, flush=True)
        if number < turns * scale.steps:
            sys.stdin.readline()
            began = wait()

    with before_batches(gate):
        train(run, make_corpus(scale), compile=compiled, micro_batch_size=scale.batch_size)


def main() -> None:
    """Be a worker: one order a line."""
    # Not `for line in sys.stdin`, which reads ahead and would swallow the gate's lines.
    while line := sys.stdin.readline():
        work(json.loads(line))


if __name__ == "__main__":
    main()
