"""The config that `mixlaws init` writes: valid, commented from the models, never overwritten."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mixlaws.config.complete import read_config, read_sections
from mixlaws.config.experiment import Experiment
from mixlaws.config.template import describe_key, new_config, write_config
from mixlaws.errors import ConfigError

PACKAGE = Path(__file__).parents[2] / "mixlaws"


@pytest.mark.parametrize("small", [False, True])
def test_it_is_valid_and_has_the_name_asked_for(small):
    text = new_config("mine", small=small)
    config = read_sections(yaml.safe_load(text))
    assert config.experiment == "mine"
    assert list(config.domains) == ["web", "code", "books"]
    assert config.confirmation is (config.confirmation if small else None)
    assert text.count("experiments/mine.yaml") == 3
    assert not re.search(r"[{%]%|{{ | $", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 100


def test_at_real_sizes_it_asks_for_the_runs_that_its_sizes_need():
    config = read_sections(yaml.safe_load(new_config("mine")))
    assert config.training.sizes == ["14M", "31M", "70M"]
    assert config.target.tokens == 20_000_000_000
    assert config.domains["books"].available_tokens == 2_000_000_000


@pytest.mark.parametrize("small", [False, True])
def test_every_key_of_a_section_is_explained_in_the_models_words(small):
    text = new_config("mine", small=small)
    schema = Experiment.model_json_schema()
    for name, value in yaml.safe_load(text)["training"].items():
        words = " ".join(f"# {describe_key(schema, f'training.{name}')}".split())
        above = text[: text.index(f"  {name}: {written(value)}")]
        comment = " ".join(line.strip().removeprefix("# ") for line in above.splitlines()[-6:])
        assert words.removeprefix("# ") in comment


def written(value):
    return f"[{', '.join(value)}]" if isinstance(value, list) else json.dumps(value)


def test_a_key_is_described_with_its_unit():
    schema = Experiment.model_json_schema()
    assert describe_key(schema, "training.num_steps") == (
        "Number of optimizer steps of a proxy. Unit: steps."
    )
    assert describe_key(schema, "domains.files.available_tokens") == (
        "Tokens of this domain available to the target; absent means no limit. Unit: tokens."
    )
    assert (
        describe_key(schema, "tokenizer") == "The tokenizer: train one, or give a file or a name."
    )


def test_a_file_that_exists_is_kept(tmp_path):
    path = write_config("mine", tmp_path / "experiments")
    assert path == tmp_path / "experiments" / "mine.yaml"
    path.write_text("# changed\n")
    with pytest.raises(ConfigError, match=r"mine.yaml exists and is kept. Choose another name"):
        write_config("mine", tmp_path / "experiments")
    assert path.read_text() == "# changed\n"


@pytest.mark.parametrize("name", ["", "../mine", "a b", "mine\n", "-x"])
def test_a_name_that_cannot_name_a_folder_is_refused(name, tmp_path):
    with pytest.raises(ConfigError, match=r"cannot name an experiment\. Use letters, digits"):
        write_config(name, tmp_path / "experiments")
    assert not (tmp_path / "experiments").exists()


def test_the_command_writes_it_and_says_what_to_do_next(tmp_path):
    command = [sys.executable, "-m", "mixlaws", "init", "mine", "--small"]
    environment = {"PYTHONPATH": str(PACKAGE.parent), "PATH": "/usr/bin:/bin"}
    found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert found.stdout.splitlines() == [
        "experiments/mine.yaml: change its paths and weights, then",
        "  mixlaws plan --configfile experiments/mine.yaml",
        "  snakemake --cores all --configfile experiments/mine.yaml",
    ]
    assert read_config(tmp_path / "experiments/mine.yaml").target.size == "99K"
    again = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert again.returncode == 1
    assert again.stderr == "experiments/mine.yaml exists and is kept. Choose another name\n"
