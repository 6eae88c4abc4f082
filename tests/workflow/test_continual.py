"""A base is trained, then continued at several shares, and checked at the one that is found."""

import json

import pytest
import yaml

BASE = {
    "experiment": "base",
    "domains": {
        name: {"source": "embedded", "harvest": name, "max_bytes": 250_000}
        for name in ("docs", "cpp", "python")
    },
    "duplicates": {"near": "all"},
    "tokenizer": {"train": {"vocabulary_size": 512}},
    "validation": {"share": 0.2, "weights": {"docs": 0.5, "cpp": 0.5}, "num_windows": 16},
    "mixtures": {"count": 4, "held_out": 0, "limits": {"python": [0, 0]}},
    "sizes": {"7K": {"num_layers": 1, "model_width": 24, "num_heads": 1}},
    "training": {
        "sizes": ["7K"],
        "num_steps": 60,
        "batch_size": 8,
        "sequence_length": 32,
        "num_evaluations": 6,
        "max_epochs": 4,
        "accelerator": "cpu",
    },
    "target": {"size": "7K", "tokens": 15_360},
    "laws": {"pipeline": "nested"},
}
CONTINUAL = BASE | {
    "experiment": "continued",
    "training": BASE["training"]
    | {"num_steps": 40, "initial": {"experiment": "base", "mixture": "uniform"}},
    "continual": {
        "original": {"docs": 0.5, "cpp": 0.5},
        "shares": [0.1, 0.3, 0.5, 0.8],
        "verify": True,
    },
    "uncertainty": {"replicates": 20},
    "target": {"size": "7K", "tokens": 20_480},
}
for name in ("mixtures", "laws", "tokenizer"):
    del CONTINUAL[name]
BASE_RUN = "results/base/runs/7K/uniform/seed-0/losses.csv"


def write(project, name, config):
    (project.folder / name).write_text(yaml.safe_dump(config))


@pytest.mark.slow
def test_a_base_is_continued_and_checked(fresh):
    write(fresh, "base.yaml", BASE)
    write(fresh, "continued.yaml", CONTINUAL)
    fresh.snakemake("--", BASE_RUN, config="base.yaml")
    refused = fresh.snakemake("-n", config="continued.yaml", check=False)
    assert "base has kept no weights of uniform at 7K seed 0" in refused
    kept = BASE | {"training": BASE["training"] | {"keep_weights": True}}
    write(fresh, "base.yaml", kept)
    fresh.snakemake("--force", "--", BASE_RUN, config="base.yaml")
    output = fresh.snakemake(config="continued.yaml")
    results = fresh.folder / "results/continued"
    record = json.loads((results / "continual/critical.json").read_text())
    assert record["status"] in ("found", "every", "none")
    assert (results / "report.html").exists()
    assert "of the original data" in output
    run = json.loads((results / "runs/7K/replay-300/seed-0/run.json").read_text())
    weights = fresh.folder / "results/base/checkpoints/7K/uniform/seed-0/weights.json"
    assert run["initial_weights"] == json.loads(weights.read_text())["sha256"]
    assert (results / "runs/7K/critical/seed-0/run.json").exists() == (record["status"] == "found")
    assert "Nothing to be done" in fresh.snakemake("-n", config="continued.yaml")
    more = CONTINUAL["continual"] | {"shares": [0.1, 0.3, 0.5, 0.65, 0.8]}
    write(fresh, "continued.yaml", CONTINUAL | {"continual": more})
    planned = fresh.snakemake("-n", "--quiet", "host", config="continued.yaml")
    trained = [line for line in planned.splitlines() if line.startswith("train_proxy")]
    # A dry run prints its table twice.
    assert {tuple(line.split()) for line in trained} == {("train_proxy", "1")}
