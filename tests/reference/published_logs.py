"""The published logs as arrays, for the reference tests."""

from functools import cache
from pathlib import Path

import numpy as np
import yaml

from mixlaws.laws.observations import Observations
from mixlaws.losses.downloads import verified_files
from mixlaws.losses.readers.data_mixing_laws import read_study
from mixlaws.losses.readers.regmix import MixtureTable, read_regmix
from mixlaws.losses.studies import Study

ROOT = Path(__file__).parents[2]


@cache
def read_logs(published: Path, name: str) -> Study:
    """Return one study of experiments/paper.yaml, its files verified."""
    config = yaml.safe_load((ROOT / "experiments/paper.yaml").read_text())["published"]
    names = config["studies"][name]["files"].values()
    sums = {file: config["files"][file] for file in names}
    return read_study(config, name, verified_files(published / "mixinglaws", sums))


@cache
def read_regmix_1m(published: Path) -> MixtureTable:
    """Return the 512 mixtures of the 1M models of RegMix."""
    folder = published / "regmix"
    return read_regmix(folder / "train_mixture_1m.csv", folder / "train_pile_loss_1m.csv")


def weights_of(study: Study) -> np.ndarray:
    """Return the weights (V,) of the validation domains in the overall loss."""
    return np.array(list(study.weights.values()))


def cross_section(study: Study, size: str, step: int) -> Observations:
    """Return the sample mixtures (the default and the candidate left out) at one size and step."""
    seen = study.observations()
    named = np.isin(seen.mixture, ["default", "candidate"])
    return seen.select((seen.size == size) & (seen.step == step) & ~named)


def common_mixtures(study: Study, sizes: list[str], steps: range) -> Observations:
    """Return the rows of the mixtures that were run at all of `sizes`, within `steps`."""
    seen = study.observations()
    everywhere = set.intersection(*(set(seen.mixture[seen.size == size]) for size in sizes))
    rows = np.isin(seen.mixture, list(everywhere)) & np.isin(seen.size, sizes)
    return seen.select(rows & (seen.step >= steps.start) & (seen.step < steps.stop))
