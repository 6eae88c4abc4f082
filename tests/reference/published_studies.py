"""The published studies for tests, read once from the folder in MIXLAWS_PUBLISHED."""

import copy
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml

from mixlaws.downloads import published_files
from mixlaws.observations import Observations
from mixlaws.published import Study, read_study

PAPER = Path(__file__).parents[2] / "experiments/paper.yaml"


def published_folder() -> Path:
    """Return the folder of published files, or skip the test where there is none."""
    if not os.environ.get("MIXLAWS_PUBLISHED"):
        pytest.skip("MIXLAWS_PUBLISHED does not name a folder of published logs")
    return Path(os.environ["MIXLAWS_PUBLISHED"])


def regmix_folder() -> Path:
    return published_folder() / "regmix"


@cache
def _read(name: str, enable: tuple[str, ...]) -> Study:
    published = copy.deepcopy(_config())
    for correction in published["studies"][name]["corrections"]:
        correction["enabled"] |= correction["name"] in enable
    return read_study(published, name, verified_logs())


def read_published_study(name: str, enable: tuple[str, ...] = ()) -> Study:
    """Return a study of experiments/paper.yaml, with more of its corrections enabled."""
    published_folder()
    return _read(name, enable)


def verified_logs() -> dict[str, Path]:
    return published_files(_config(), "no download in tests")


def _config() -> dict:
    published = yaml.safe_load(PAPER.read_text())["published"]
    return published | {"folder": str(published_folder() / "mixinglaws")}


def weight_vector(study: Study) -> np.ndarray:
    return np.array(list(study.weights.values()))


def overall(study: Study, losses: np.ndarray) -> np.ndarray:
    """Return the overall loss (n,) of losses (n, V)."""
    return losses @ weight_vector(study)


def redpajama_proxies() -> Observations:
    """Return the runs that a law may be fitted to: 20 mixtures at 4 sizes, and the default."""
    observations = read_published_study("redpajama").observations()
    mixtures = {*observations.mixture[observations.size == "410M"], "default"}
    proxies = (observations.size != "1B") & np.isin(observations.mixture, list(mixtures))
    return observations.select(proxies)
