"""The authors' logs through our reader: inventory, corrections, the numbers that others rest on."""

import json

import numpy as np
import pytest
import yaml
from published_logs import read_logs, read_regmix_1m, weights_of

from mixlaws.losses.arrays import make_observations
from mixlaws.losses.downloads import published_files
from mixlaws.losses.readers import READERS
from mixlaws.losses.swarm import Swarm
from mixlaws.paper.studies import study_options


@pytest.fixture(scope="module")
def config(published, root):
    """Return the `published` section of the paper's experiment, with the local copy."""
    section = yaml.safe_load((root / "experiments/paper.yaml").read_text())["published"]
    return section | {"folder": str(published / "mixinglaws")}


@pytest.fixture(scope="module")
def files(config):
    return published_files(config, "nothing is downloaded")


@pytest.fixture(scope="module")
def redpajama(published):
    return read_logs(published, "redpajama")


def with_correction(config, files, name) -> Swarm:
    """Return RedPajama with one more correction enabled."""
    study = config["studies"]["redpajama"]
    corrections = [
        correction | {"enabled": correction["enabled"] or correction["name"] == name}
        for correction in study["corrections"]
    ]
    studies = {"redpajama": study | {"corrections": corrections}}
    options = study_options(config | {"studies": studies}, "redpajama")
    return READERS["data_mixing_laws"](options, files)


def test_every_file_has_its_sum(files):
    assert len(files) == 19


@pytest.mark.parametrize(
    ("name", "num_rows", "num_mixtures", "num_validation_domains"),
    [
        ("2mix", 110, 5, 2),
        ("3mix", 1060, 33, 3),
        ("5mix", 1401, 26, 22),
        ("redpajama", 1161, 42, 22),
        ("continual", 50, 5, 23),
    ],
)
def test_inventory(published, name, num_rows, num_mixtures, num_validation_domains):
    study = read_logs(published, name)
    observations = make_observations(study)
    assert observations.losses.shape == (num_rows, num_validation_domains)
    assert len(study.mixtures) == num_mixtures
    assert np.abs(observations.proportions.sum(axis=1) - 1).max() < 1e-12
    assert np.isfinite(observations.losses).all()


def test_overall_loss_at_one_billion(redpajama):
    """Paper.md, section 6: 2.713322 for the default mixture, 2.678705 for the optimised one."""
    observations = make_observations(redpajama)
    last = observations.select((observations.size == "1B") & (observations.step == 100_000))
    losses = dict(zip(last.mixture, last.losses @ weights_of(redpajama), strict=True))
    assert losses["default"] == pytest.approx(2.713322, abs=1e-6)
    assert losses["mix-018"] == pytest.approx(2.678705, abs=1e-6)


def test_base_model_of_continual_training(published):
    study = read_logs(published, "continual")
    losses = np.array([[study.base_losses[name] for name in study.weights]])
    assert (losses @ weights_of(study))[0] == pytest.approx(2.873368, abs=1e-6)
    assert study.base_losses["python"] == pytest.approx(1.83812, abs=1e-5)


def test_weights_equal_the_authors(files, redpajama):
    authors = json.loads(files["pipeline/valid_weight.json"].read_text())
    weights = redpajama.weights
    assert weights == pytest.approx(authors, abs=1e-15)
    assert sum(weights.values()) == pytest.approx(1.0)


def test_default_mixture_is_on_the_256th_lattice(redpajama):
    default = redpajama.mixtures.set_index("id").loc["default"]
    shares = [256 * default[f"r_{domain}"] for domain in redpajama.domains]
    assert shares == [171, 38, 12, 11, 11, 7, 6]


def test_optimised_mixture_is_proxy_18_at_every_size(redpajama):
    observations = make_observations(redpajama)
    sizes = set(observations.size[observations.mixture == "mix-018"])
    assert sizes == {"70M", "160M", "305M", "410M", "1B"}


def test_what_is_dropped_is_listed(published):
    dropped = read_logs(published, "5mix").dropped
    assert dropped[["size", "run"]].drop_duplicates().values.tolist() == [["70M", 3]]
    assert sorted(dropped["step"]) == [7000, 13_000, 21_000, 23_000, 29_000]
    reasons = read_logs(published, "3mix").dropped.groupby("reason").size()
    assert reasons["pseudo-step `last`"] == 9
    assert reasons["validation domains missing"] == 28


def test_optional_column_order_of_the_default_mixture(config, files):
    study = with_correction(config, files, "default mixture's column order")
    default = study.mixtures.set_index("id").loc["default"]
    assert 256 * default["r_wikipedia"] == 11
    assert 256 * default["r_arxiv"] == 7


def test_run_207_can_be_left_out(config, files):
    study = with_correction(config, files, "run 207's missing steps")
    assert "mix-207" not in set(study.mixtures["id"])
    assert len(study.dropped) == 9


def test_regmix_pair(published):
    table = read_regmix_1m(published)
    assert table.proportions.shape == (512, 17)
    assert table.losses.shape == (512, 13)
    assert table.validation_domains[8] == "pile_cc"
    assert np.abs(table.proportions.sum(axis=1) - 1).max() < 1e-12
