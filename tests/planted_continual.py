"""The runs of experiments/continual.yaml with planted losses: no training."""

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from mixlaws.config.complete import read_sections
from mixlaws.decision.replay_outcome import find_shares
from mixlaws.decision.verification import check_verification, round_share
from mixlaws.losses.tables import mixture_table
from mixlaws.runs.shapes import Shape
from mixlaws.runs.sweep import describe_target, list_runs
from mixlaws.tables import write_table

BEND, SLOPE = 4.0, 0.5
PARAMS = Shape(2, 48, 2).num_params
"""Of 56K, the largest size."""
STEPS = (100, 200, 300)
BASES = {"docs": 4.0, "cpp": 3.0, "python": 4.5}


def continual_config(**section):
    path = Path(__file__).parents[1] / "experiments/continual.yaml"
    config = copy.deepcopy(yaml.safe_load(path.read_text()))
    config["continual"] |= {"shares": [0.05, 0.1, 0.2, 0.4, 0.7]} | section
    config["training"]["seeds"] = [0, 1, 2]
    config["uncertainty"] = {"replicates": 20}
    return config


def num_params(sections, size):
    return Shape(**sections.sizes[size].model_dump()).num_params


def planted_critical(size_params, tokens, critical):
    """Return the planted share: it falls with tokens, and rises with size."""
    level = -SLOPE * np.exp(-BEND * critical)
    level += -0.01 * np.log(tokens / 3e5) + 0.005 * np.log(size_params / PARAMS)
    return float(-np.log(-level / SLOPE) / BEND)


def planted_losses(share, size_params, tokens, critical):
    """Return the losses above the base's by domain. docs keeps its loss at a larger share."""
    level = -SLOPE * np.exp(-BEND * critical)
    level += -0.01 * np.log(tokens / 3e5) + 0.005 * np.log(size_params / PARAMS)
    original = level + SLOPE * np.exp(-BEND * share)
    return {"docs": original + 0.02, "cpp": original - 0.02, "python": -0.8 + 0.6 * share**2}


def write_continual(folder, *, critical=0.25, noise=1e-3, check=None, **section):
    """Write the results of the experiment into a folder, and return its complete config.

    `check` is how far the runs at the critical proportion are above the base's loss.
    """
    sections = read_sections(continual_config(**section))
    sweep, target = list_runs(sections), describe_target(sections)
    generator = np.random.default_rng(0)
    batch = sections.training.batch_tokens
    losses, initial, runs = [], [], []
    for run in sweep.proxies:
        count = num_params(sections, run.size)
        key = {"size": run.size, "mixture": run.mixture, "seed": run.seed}
        runs.append(key | {"num_params": count})
        share = 1 - sweep.proportions[run.mixture]["python"]
        base = {name: loss + 0.1 * run.seed for name, loss in BASES.items()}
        for name, loss in base.items():
            row = key | {"validation_domain": name}
            initial.append(row | {"step": 0, "tokens": 0, "loss": loss})
            for step in STEPS:
                above = planted_losses(share, count, step * batch, critical)[name]
                noisy = loss + above + noise * generator.standard_normal()
                losses.append(row | {"step": step, "tokens": step * batch, "loss": noisy})
    tables = {"losses.parquet": losses, "initial.parquet": initial, "runs.csv": runs}
    for name, rows in tables.items():
        write_table(pd.DataFrame(rows), folder / name)
    write_table(mixture_table(sweep.mixtures), folder / "mixtures.csv")
    config = sections.model_dump()
    find(folder, config, target | {"num_params": num_params(sections, target["size"])})
    if check is not None:
        _check(folder, config, check)
    return config


def find(folder, config, target):
    inputs = {"losses": "losses.parquet", "initial": "initial.parquet"}
    inputs |= {"runs": "runs.csv", "mixtures": "mixtures.csv"}
    names = ("critical", "curves", "domains", "scale")
    outputs = {name: f"continual/{name}.csv" for name in names}
    outputs["record"] = "continual/critical.json"
    find_shares(
        {name: str(folder / path) for name, path in inputs.items()},
        {name: str(folder / path) for name, path in outputs.items()},
        {
            "continual": config["continual"],
            "target": target,
            "steps": "all",
            "level": 0.9,
            "replicates": config["uncertainty"]["replicates"],
            "seed": 0,
        },
    )


def _check(folder, config, above):
    domains, section = list(config["domains"]), config["continual"]
    record = folder / "continual/critical.json"
    found = round_share(str(record), section, domains)["proportions"]
    paths = []
    for seed in (0, 1, 2) if found else ():
        rows = [
            {"size": "56K", "mixture": "critical", "seed": seed, "step": 300, "tokens": 307_200}
            | {"validation_domain": name, "loss": loss + 0.1 * seed + above}
            for name, loss in BASES.items()
        ]
        path = folder / f"critical-{seed}.csv"
        write_table(pd.DataFrame(rows), path)
        paths.append(path)
    output = str(folder / "continual/verification.json")
    check_verification({"record": record, "losses": paths}, section, domains, output)
