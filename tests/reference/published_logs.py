"""The published logs as arrays, for the reference tests."""

from functools import cache
from pathlib import Path

import numpy as np
import yaml

from mixlaws.laws.observations import Observations
from mixlaws.losses.arrays import make_observations
from mixlaws.losses.downloads import verified_files
from mixlaws.losses.readers import READERS
from mixlaws.losses.swarm import Swarm
from mixlaws.paper.studies import study_options

ROOT = Path(__file__).parents[2]


@cache
def read_logs(published: Path, name: str) -> Swarm:
    """Return one study of experiments/paper.yaml, its files verified."""
    config = yaml.safe_load((ROOT / "experiments/paper.yaml").read_text())["published"]
    names = config["studies"][name]["files"].values()
    sums = {file: config["files"][file] for file in names}
    files = verified_files(published / "mixinglaws", sums)
    return READERS["data_mixing_laws"](study_options(config, name), files)


@cache
def read_regmix_1m(published: Path) -> Observations:
    """Return the 512 mixtures of the 1M models of RegMix, each trained on about 1B tokens."""
    files = {"mixtures": "train_mixture_1m.csv", "losses": "train_pile_loss_1m.csv"}
    paths = {name: published / "regmix" / file for name, file in files.items()}
    options = {"size": "1M", "num_params": 1_000_000, "step": 1000, "tokens": 10**9}
    return make_observations(READERS["regmix"](options, paths))


def weights_of(study: Swarm) -> np.ndarray:
    """Return the weights (V,) of the validation domains in the overall loss."""
    return np.array(list(study.weights.values()))


def cross_section(study: Swarm, size: str, step: int) -> Observations:
    """Return the sample mixtures (the default and the candidate left out) at one size and step."""
    seen = make_observations(study)
    named = np.isin(seen.mixture, ["default", "candidate"])
    return seen.select((seen.size == size) & (seen.step == step) & ~named)


def common_mixtures(study: Swarm, sizes: list[str], steps: range) -> Observations:
    """Return the rows of the mixtures that were run at all of `sizes`, within `steps`."""
    seen = make_observations(study)
    everywhere = set.intersection(*(set(seen.mixture[seen.size == size]) for size in sizes))
    rows = np.isin(seen.mixture, list(everywhere)) & np.isin(seen.size, sizes)
    return seen.select(rows & (seen.step >= steps.start) & (seen.step < steps.stop))
