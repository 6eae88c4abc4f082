"""Does one base learning rate serve every width? A sweep on the tokens of a finished experiment.

    python benchmarks/learning_rates.py results/demo        # about 15 CPU minutes

Two layers, the width doubling; the hidden rate is base * 64 / width, the embedding's stays. A rule
that transfers has its best base rate in the same column for every width. Rules: `tied`, the demo's
model; `scaled`, whose logits are multiplied by 64 / width; `untied`, with a head of its own;
`neox`, the same in the GPT-NeoX layout; and `plain`, which uses the base rate at every width.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from mixlaws.runs.run import Run, make_run
from mixlaws.training.corpus import Corpus, read_corpus
from mixlaws.training.train import train

BASES = (0.0003, 0.0006, 0.0012, 0.0024, 0.0048, 0.0096)


def make_base(corpus: Corpus, num_steps: int) -> Run:
    """Return the run that all others vary."""
    domains = list(corpus.train)
    return make_run(
        {
            "size": "sweep",
            "mixture": "uniform",
            "seed": 0,
            "proportions": dict.fromkeys(domains, 1 / len(domains)),
            "num_layers": 2,
            "model_width": 64,
            "num_heads": 2,
            "num_steps": num_steps,
            "batch_size": 8,
            "sequence_length": 128,
            "learning_rate": 0.0024,
            "embedding_learning_rate": 0.05,
            "warmup_steps": 30,
            "weight_decay": 0.1,
            "gradient_clip_norm": 1.0,
            "averaging_exponent": 10,
            "num_evaluations": 1,
            "first_evaluation": 1.0,
            "num_validation_windows": 24,
            "max_epochs": 10.0,
        }
    )


def loss_of(run: Run, corpus: Corpus) -> float:
    """Return the mean final loss over the training domains' validation splits."""
    with tempfile.TemporaryDirectory() as folder:
        result = train(run, corpus, checkpoints=folder, every_seconds=1e9)
    return float(np.mean([row["loss"] for row in result.losses]))


def variant(run: Run, rule: str, width: int, base: float) -> Run:
    """Return a run of one rule."""
    run = replace(run, model_width=width, num_heads=max(2, width // 32), learning_rate=base)
    if rule == "plain":
        return replace(run, learning_rate=base * width / 64)
    if rule in ("untied", "neox"):
        run = replace(run, tied_embeddings=False, layout="neox" if rule == "neox" else "rope")
    return replace(run, scale_logits=rule == "scaled")


def main() -> None:
    """Print a table per rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="results/{experiment}, with its tokens")
    parser.add_argument("--widths", type=int, nargs="+", default=[32, 64, 128, 256])
    parser.add_argument("--rules", nargs="+", default=["tied", "scaled", "untied", "neox", "plain"])
    parser.add_argument("--bases", type=float, nargs="+", default=BASES)
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()
    manifests = sorted(arguments.results.glob("tokens/*/train.json"))
    corpus = read_corpus(manifests, [path.with_name("validation.json") for path in manifests])
    run = make_base(corpus, arguments.steps)
    for rule in arguments.rules:
        print(
            f"\n| {rule}: width | "
            + " | ".join(f"{b:g}" for b in arguments.bases)
            + " | best base |"
        )
        print("|---" * (len(arguments.bases) + 2) + "|")
        for width in arguments.widths:
            found = [loss_of(variant(run, rule, width, base), corpus) for base in arguments.bases]
            best = arguments.bases[int(np.argmin(found))]
            cells = " | ".join(f"{loss:.3f}" for loss in found)
            print(f"| {width} | {cells} | {best:g} |", flush=True)


if __name__ == "__main__":
    main()
