"""Configs whose runs start from a model, and the gate that looks for the model's files."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from mixlaws.config.complete import complete_config, read_sections
from mixlaws.config.given import check_given_files
from mixlaws.config.initial_files import initial_files
from mixlaws.errors import ConfigError, DataError
from mixlaws.results import Results
from mixlaws.runs.options import run_options
from mixlaws.runs.sweep import describe_target, list_runs, plan_of_tokens

CONFIG = yaml.safe_load((Path(__file__).parents[2] / "experiments/continual.yaml").read_text())


def changed(**keys):
    """Return the config with dotted keys changed; None removes one."""
    config = copy.deepcopy(CONFIG)
    for name, value in keys.items():
        *path, last = name.split("__")
        place = config
        for part in path:
            place = place[part]
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    return config


def test_the_shipped_experiment_lists_a_run_per_share_size_and_seed():
    sections = read_sections(CONFIG)
    sweep = list_runs(sections)
    ids = ["replay-100", "replay-300", "replay-600", "replay-900"]
    assert [mixture.id for mixture in sweep.mixtures] == ids
    assert len(sweep.proxies) == 4 * 2 * 2
    assert [(run.size, run.mixture, run.seed) for run in sweep.verifications] == [
        ("56K", "critical", seed) for seed in (0, 1)
    ]
    assert sweep.proportions["replay-600"] == {"docs": 0.3, "cpp": 0.3, "python": 0.4}
    assert plan_of_tokens(sections, sweep)["counts_natural"] is False
    assert sections.tokenizer.file == "results/continual_base/tokens/tokenizer.json"


def test_nothing_changes_for_an_experiment_without_a_model():
    """Params of its rules are the same as before there were such models."""
    path = Path(__file__).parents[2] / "config.yaml"
    sections = read_sections(yaml.safe_load(path.read_text()))
    assert "initial" not in sections.model_dump()["training"]
    assert "continual" not in sections.model_dump()
    assert {"initial_rate", "initial_weights"} & set(run_options(sections)) == set()
    assert "initial_rate" not in describe_target(sections)
    assert plan_of_tokens(sections, list_runs(sections))["counts_natural"] is True
    assert initial_files(sections, "25K", 0, Path("results")) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"training__initial": {}},
            "must have one of experiment, folder, found none",
        ),
        (
            {"training__initial": {"experiment": "a"}},
            "training.initial.mixture: must be stated with experiment",
        ),
        (
            {"training__initial": {"folder": "m"}},
            "training.initial.learning_rate: must be stated with folder",
        ),
        (
            {"training__initial": {"folder": "m", "learning_rate": 1e-4}},
            "and target.size must be one size, found 25K, 56K, 332K",
        ),
        (
            {"training__initial": {"experiment": "a", "mixture": "b", "learning_rate": 1e-4}},
            "training.initial.learning_rate: must be left out with experiment",
        ),
        (
            {"training__initial": None, "tokenizer": {"name": "gpt2"}},
            "training.initial: must be stated",
        ),
        ({"tokenizer": {"name": "gpt2"}}, "tokenizer: must be left out with training.initial"),
        (
            {"confirmation": {"mixtures": ["uniform"], "seeds": [0]}},
            "confirmation: must be left out with `continual`",
        ),
        ({"continual__original": {"docs": 1.0, "web": 0.0}}, "must name domains .*, found web"),
        ({"continual__original": {"docs": 0.7, "cpp": 0.7}}, "original: must sum to 1, found 1.4"),
        (
            {"continual__original": {"docs": 0.5, "cpp": 0.3, "python": 0.2}},
            "must leave at least one domain new, found all domains",
        ),
        ({"continual__original": {"docs": 1.0}, "continual__new": {"cpp": 1.0}}, "none of python"),
        (
            {"continual__preserve": {"rst": 1.0}},
            "preserve: must name .*, found rst",
        ),
        ({"continual__shares": [0.1, 0.2, 0.3]}, "continual.shares"),
        (
            {"continual__shares": [0.1, 0.2, 0.3, 0.3333]},
            "multiples of 1/1000, found 0.3333",
        ),
    ],
)
def test_contradictions_are_named(change, words):
    with pytest.raises(ConfigError, match=words):
        read_sections(changed(**change))


def write_base(root, *, size="25K", seed=0, **run):
    """Write the record of kept weights as a base run leaves it."""
    files = Results(root / "continual_base").run(size, "uniform", seed)
    files.checkpoints.mkdir(parents=True)
    shape = CONFIG["sizes"][size]
    files.weights_record.write_text(json.dumps({"run": shape | run, "sha256": "ab"}))
    files.weights.write_bytes(b"")
    return files


def test_the_base_must_have_kept_its_weights(tmp_path):
    sections = read_sections(changed(training__seeds=[0, 1], training__sizes=["25K", "56K"]))
    write_base(tmp_path)
    words = (
        r"training.initial: continual_base has kept no weights of uniform at 25K seed 1, 56K seed "
        r"0, 56K seed 1. Set training.keep_weights: true in that experiment"
    )
    with pytest.raises(DataError, match=words):
        check_given_files(sections, tmp_path)


def test_one_base_may_serve_all_seeds(tmp_path):
    initial = {"experiment": "continual_base", "mixture": "uniform", "seed": 0}
    sections = read_sections(changed(training__initial=initial, training__sizes=["25K"]))
    files = write_base(tmp_path)
    assert initial_files(sections, "25K", 2, tmp_path) == [
        str(files.weights),
        str(files.weights_record),
    ]


def test_the_base_must_have_the_shape_of_its_size(tmp_path):
    sections = read_sections(changed(training__seeds=[0], training__sizes=["25K"]))
    write_base(tmp_path, model_width=48, layout="neox")
    words = r"size 25K differs in model_width \(48 there, 32 here\), layout \(neox there, rope"
    with pytest.raises(DataError, match=words):
        check_given_files(sections, tmp_path)


MODEL = {
    "model_type": "llama",
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "num_attention_heads": 2,
    "max_position_embeddings": 256,
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_type": "mamba"}, "is a model of type mamba, which cannot be continued here"),
        ({"hidden_size": 64}, r"sizes.25K must be the model's shape. Set model_width: 64"),
        ({"max_position_embeddings": 64}, r"reads 64 tokens at once, fewer than .* \(128\)"),
        (None, "holds no model: There is no file"),
    ],
)
def test_a_folder_must_hold_a_model_that_fits(tmp_path, change, words):
    initial = {"folder": str(tmp_path), "learning_rate": 1e-4}
    config = changed(training__initial=initial, training__sizes=["25K"], target__size="25K")
    sections = read_sections(config)
    assert sections.tokenizer.file == f"{tmp_path}/tokenizer.json"
    rates = {"learning_rate": 1e-4, "embedding_learning_rate": 1e-4}
    assert {key: run_options(sections)[key] for key in rates} == rates
    if change is not None:
        (tmp_path / "config.json").write_text(json.dumps(MODEL | change))
        (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(DataError, match=words):
        check_given_files(sections)


def test_the_complete_config_is_plain():
    section = complete_config(CONFIG)["continual"]
    assert section == {
        "original": {"docs": 0.5, "cpp": 0.5},
        "new": {},
        "preserve": {},
        "learn": {},
        "shares": [0.1, 0.3, 0.6, 0.9],
        "verify": True,
    }
