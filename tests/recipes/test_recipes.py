import json
import math
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from mixlaws.errors import ConfigError
from mixlaws.files import write_json
from mixlaws.recipes import RECIPES
from mixlaws.recipes.write import write_recipes

MIXTURE = {
    "mixture": "optimum",
    "lattice": 64,
    "proportions": {"python": 9 / 64, "docs": 44 / 64, "cpp": 11 / 64, "books": 0.0},
}
TARGET = {"size": "332K", "num_params": 331_776, "tokens": 1_228_800}
# In the order of target_mixture.json, whose keys are sorted.
EXPECTED = {"cpp": 11 / 64, "docs": 44 / 64, "python": 9 / 64}


RECOMMENDED = {"recommends": True, "headline": "Train on it.", "reason": "", "needs": ""}


def write(folder: Path, mixture=MIXTURE, support=RECOMMENDED) -> list[Path]:
    write_json(mixture, folder / "target_mixture.json")
    write_json({"target": TARGET, "support": support}, folder / "optimum.json")
    return write_recipes(
        mixture=folder / "target_mixture.json",
        optimum=folder / "optimum.json",
        folder=folder / "recipes",
    )


@pytest.fixture
def recipes(tmp_path) -> Path:
    write(tmp_path)
    return tmp_path / "recipes"


def test_megatron_reads_weight_prefix_pairs(recipes) -> None:
    """As get_blend_from_list does: split at blanks, even words are weights, odd ones prefixes."""
    words = (recipes / "megatron.txt").read_text().split()
    weights, prefixes = [float(word) for word in words[0::2]], words[1::2]
    assert dict(zip(prefixes, weights, strict=True)) == {
        f"DATA/{domain}": share for domain, share in EXPECTED.items()
    }
    assert sum(weights) == 1.0


def test_olmo_core_reads_a_list_of_sources(recipes) -> None:
    """The checks of SourceMixtureConfig and SourceMixtureList."""
    sources = yaml.safe_load((recipes / "olmo_core.yaml").read_text())["sources"]
    assert all(set(source) == {"source_name", "target_ratio", "paths"} for source in sources)
    assert {source["source_name"]: source["target_ratio"] for source in sources} == EXPECTED
    assert all(0 < source["target_ratio"] <= 1 for source in sources)
    assert sum(source["target_ratio"] for source in sources) == 1.0
    assert sources[0]["paths"] == ["DATA/cpp/*.npy"]


def test_nanotron_reads_a_data_stage(recipes) -> None:
    (stage,) = yaml.safe_load((recipes / "nanotron.yaml").read_text())["data_stages"]
    assert set(stage) == {"name", "start_training_step", "data"}
    dataset = stage["data"]["dataset"]
    assert dataset["dataset_folder"] == [f"DATA/{domain}" for domain in EXPECTED]
    assert dataset["dataset_weights"] == list(EXPECTED.values())
    assert sum(dataset["dataset_weights"]) == 1.0


def test_plain_record_counts_tokens(recipes) -> None:
    record = json.loads((recipes / "mixture.json").read_text())
    assert record["unit"] == "share of training tokens"
    assert record["counts"] == {"python": 9, "docs": 44, "cpp": 11, "books": 0}
    assert record["proportions"] == MIXTURE["proportions"]
    assert record["tokens"] == {"python": 172_800, "docs": 844_800, "cpp": 211_200, "books": 0}
    assert sum(record["tokens"].values()) == record["total_tokens"] == 1_228_800


def test_guide_says_what_a_weight_is_and_names_every_file(recipes) -> None:
    guide = (recipes / "README.md").read_text()
    assert "share of training *tokens*" in guide
    assert "| docs | 44/64 | 0.6875 | 844,800 |" in guide
    files = {path.name for path in recipes.iterdir()} - {"README.md"}
    assert files == {"megatron.txt", "olmo_core.yaml", "nanotron.yaml", "mixture.json"}
    assert files == {recipe.file_name for recipe in RECIPES}
    assert all(f"`{name}`" in guide for name in files)


@pytest.mark.parametrize("lattice", [7, 60, 100, 64])
def test_every_lattice_sums_to_one(tmp_path, lattice) -> None:
    counts = {"a": 1, "b": 2, "c": lattice - 3}
    proportions = {domain: count / lattice for domain, count in counts.items()}
    mixture = {"mixture": "optimum", "lattice": lattice, "proportions": proportions}
    write(tmp_path, mixture)
    words = (tmp_path / "recipes" / "megatron.txt").read_text().split()
    assert math.fsum(map(float, words[0::2])) == pytest.approx(1.0, abs=1e-15)
    record = json.loads((tmp_path / "recipes" / "mixture.json").read_text())
    assert sum(Fraction(count, lattice) for count in record["counts"].values()) == 1


def test_writing_twice_gives_the_same_bytes(tmp_path) -> None:
    first, second = (write(tmp_path / name) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.parametrize(
    "proportions", [{"a": 0.3, "b": 0.7}, {"a": 0.25, "b": 0.5}, {"a": -0.25, "b": 1.25}]
)
def test_proportions_off_the_lattice_are_refused(tmp_path, proportions) -> None:
    mixture = {"mixture": "optimum", "lattice": 64, "proportions": proportions}
    with pytest.raises(ConfigError, match="optimum are not multiples of 1/64 that sum to 1"):
        write(tmp_path, mixture)


def test_the_readme_says_when_the_mixture_is_no_recommendation(tmp_path, recipes) -> None:
    assert "Not a recommendation" not in (recipes / "README.md").read_text()
    support = {"recommends": False, "headline": "Unknown.", "reason": "Far.", "needs": "More."}
    write(tmp_path / "far", support=support)
    words = (tmp_path / "far" / "recipes" / "README.md").read_text()
    assert "**Not a recommendation.** Unknown. Far. More.\n\nMixture `optimum`" in words
