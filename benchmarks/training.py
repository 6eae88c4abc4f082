"""How fast the training loop is: Lightning's, a bare PyTorch loop of the same model, and a peer's.

    python benchmarks/training.py [--peer-python PYTHON]

Each contender is a process of its own that takes so many steps when told to; they take turns, and a
ratio is the median over rounds, so that a machine's moods hit all alike. The peer is litgpt's model
in a plain loop of its own; PYTHON is the interpreter of an environment with litgpt==0.5.13 and the
same torch (`pip install litgpt` may replace torch: use an environment of its own).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

SHAPES = {"1M": (5, 128, 4), "3M": (4, 256, 4)}
BATCH, LENGTH, VOCABULARY = 8, 128, 1024
ROOT = Path(__file__).parents[1]


class Gate:
    """Let a loop run `steps` batches at a time: wait for a line, then say how long they took."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.taken = 0
        self.began = (0.0, 0.0)

    def pass_through(self) -> None:
        """Stand before every batch."""
        if self.taken % self.steps == 0:
            now = time.perf_counter(), time.process_time()
            if self.taken:
                print("TOOK", now[0] - self.began[0], now[1] - self.began[1], flush=True)
            if not sys.stdin.readline():
                raise SystemExit(0)
            self.began = time.perf_counter(), time.process_time()
        self.taken += 1


def make_inputs(name: str):
    """Return a run of a named shape and a corpus of random tokens."""
    sys.path.insert(0, str(ROOT))
    import numpy as np

    from mixlaws.runs.run import make_run
    from mixlaws.training.corpus import Corpus, TokenFile

    layers, width, heads = SHAPES[name]
    run = make_run(
        {
            "size": name,
            "mixture": "uniform",
            "seed": 0,
            "proportions": {"a": 0.5, "b": 0.5},
            "num_layers": layers,
            "model_width": width,
            "num_heads": heads,
            "num_steps": 100_000,
            "batch_size": BATCH,
            "sequence_length": LENGTH,
            "learning_rate": 0.0024,
            "embedding_learning_rate": 0.01,
            "warmup_steps": 30,
            "weight_decay": 0.1,
            "gradient_clip_norm": 1.0,
            "averaging_exponent": 10,
            "num_evaluations": 1,
            "first_evaluation": 1.0,
            "num_validation_windows": 4,
            "max_epochs": 1e9,
        }
    )
    tokens = np.random.default_rng(0).integers(0, VOCABULARY, 2_000_000).astype(np.uint16)
    files = {name: TokenFile(tokens, name, 2.0) for name in ("a", "b")}
    return run, Corpus(files, files, VOCABULARY)


def run_ours(name: str, gate: Gate) -> None:
    """Take steps in the product's own loop, callbacks and all."""
    run, corpus = make_inputs(name)
    from mixlaws.training import attempt
    from mixlaws.training import train as training

    plain = attempt.make_loader

    def gated(stream, is_gpu) -> Iterator:
        class Loader:
            def __iter__(self):
                for batch in plain(stream, is_gpu):
                    gate.pass_through()
                    yield batch

        return Loader()

    attempt.make_loader = gated
    with tempfile.TemporaryDirectory() as folder:
        training.train(run, corpus, checkpoints=folder, every_seconds=1e9)


def run_bare(name: str, gate: Gate) -> None:
    """Take the same steps in twenty lines of PyTorch: the same model, optimizer and average."""
    run, corpus = make_inputs(name)
    import torch

    from mixlaws.training.batches import BatchStream, Slice
    from mixlaws.training.model import mean_cross_entropy
    from mixlaws.training.module import LanguageModel
    from mixlaws.training.train import plan_batches

    torch.set_num_threads(1)
    module = LanguageModel(run, VOCABULARY)
    (optimizer,), (rates,) = module.configure_optimizers()
    tokens = {domain: file.tokens for domain, file in corpus.train.items()}
    stream = BatchStream(plan_batches(run, corpus), tokens, LENGTH, run.num_steps, lambda: Slice(0))
    model, averaged = module.model, list(module.averaged.parameters())
    for step, batch in enumerate(stream, start=1):
        gate.pass_through()
        loss = mean_cross_entropy(model.hidden(batch[:, :-1]), model.head_weight, batch[:, 1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), run.gradient_clip_norm)
        optimizer.step()
        rates["scheduler"].step()
        optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            kept = (1 - 1 / step) ** 11
            torch._foreach_lerp_(averaged, list(model.parameters()), 1 - kept)


def run_peer(name: str, gate: Gate) -> None:
    """Take steps of litgpt's model at the same shape, in a plain loop with its own loss."""
    import torch
    from litgpt.config import Config
    from litgpt.model import GPT
    from litgpt.utils import chunked_cross_entropy

    torch.set_num_threads(1)
    layers, width, heads = SHAPES[name]
    config = Config(
        n_layer=layers,
        n_embd=width,
        n_head=heads,
        block_size=LENGTH,
        vocab_size=VOCABULARY,
        padded_vocab_size=VOCABULARY,
        rotary_percentage=1.0,
        parallel_residual=False,
        bias=False,
        norm_class_name="RMSNorm",
        mlp_class_name="GptNeoxMLP",
        intermediate_size=4 * width,
    )
    model = GPT(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), fused=True)
    batches = torch.randint(0, VOCABULARY, (64, BATCH, LENGTH + 1))
    for step in range(100_000):
        gate.pass_through()
        batch = batches[step % 64]
        loss = chunked_cross_entropy(model(batch[:, :-1]), batch[:, 1:], chunk_size=0)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


WORKERS = {"ours": run_ours, "bare loop": run_bare, "litgpt": run_peer}


class Contender:
    """A worker process that takes its steps when told to."""

    def __init__(self, python: str, kind: str, shape: str, steps: int) -> None:
        command = [python, __file__, "--worker", kind, "--shape", shape, "--steps", str(steps)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def take_turn(self) -> tuple[float, float]:
        """Return wall and CPU seconds of one round."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("TOOK"):
                wall, cpu = line.split()[1:]
                return float(wall), float(cpu)
        raise SystemExit("a contender ended early: run it alone with --worker to see why")

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()


def compare(shape: str, peer_python: str | None, rounds: int, steps: int) -> None:
    """Print one row per contender."""
    pythons = {"ours": sys.executable, "bare loop": sys.executable}
    if peer_python:
        pythons["litgpt"] = peer_python
    contenders = {k: Contender(python, k, shape, steps) for k, python in pythons.items()}
    turns = {kind: [] for kind in contenders}
    for number in range(rounds + 1):
        for kind, contender in contenders.items():
            # A contender measures from one gate to the next: the first turn only lets it in.
            turn = contender.take_turn()
            if number:
                turns[kind].append(turn)
    for contender in contenders.values():
        contender.end()
    for kind, measured in turns.items():
        walls, cpus = zip(*measured, strict=True)
        ratio = median(
            other[1] / own[1] for own, other in zip(turns["ours"], measured, strict=True)
        )
        rate = steps * BATCH * LENGTH / median(cpus)
        print(
            f"| {shape} | {kind} | {1000 * median(walls) / steps:.1f} | {rate:,.0f} | "
            f"{'' if kind == 'ours' else f'{ratio:.3f}'} |",
            flush=True,
        )


def main() -> None:
    """Compare, or be one of the compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--worker", choices=WORKERS, help=argparse.SUPPRESS)
    parser.add_argument("--shape", choices=SHAPES, help="one shape only")
    arguments = parser.parse_args()
    if arguments.worker:
        WORKERS[arguments.worker](arguments.shape, Gate(arguments.steps))
        return
    print("| shape | loop | ms a step | tokens per CPU second | ours / this |")
    print("|---|---|---|---|---|")
    for shape in [arguments.shape] if arguments.shape else SHAPES:
        compare(shape, arguments.peer_python, arguments.rounds, arguments.steps)


if __name__ == "__main__":
    main()
