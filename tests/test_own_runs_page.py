"""The commands of docs/own-runs.md are those that the parser and the tables know."""

import argparse
import shlex

import pytest
from own_tables import long_table

from mixlaws.config.complete import complete_config
from mixlaws.config.losses import ACCEPT_RULES, DROP_RULES, READER_NAMES
from mixlaws.fit_command import add_fit, config_of
from mixlaws.losses.keys import COLUMNS

EXAMPLES = 3


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs/own-runs.md").read_text()


def parse(command):
    parser = argparse.ArgumentParser()
    add_fit(parser.add_subparsers())
    return parser.parse_args(shlex.split(command)[1:])


def test_its_commands_make_whole_configs(page):
    lines = [line.strip() for line in page.splitlines() if line.startswith("mixlaws fit")]
    assert len(lines) == EXAMPLES
    configs = [complete_config(config_of(parse(line))) for line in lines]
    assert configs[0]["target"] == {"size": "1B", "tokens": 10**11}
    assert configs[1]["losses"]["loss_columns"] == "val/*"
    assert configs[2]["losses"]["reader"] == "regmix"


def test_laws_are_compared_on_the_tables_that_fit_takes(page):
    lines = [line.strip() for line in page.splitlines() if line.startswith("mixlaws ")]
    (fit,) = [line for line in lines if line.startswith("mixlaws fit --reader regmix")]
    assert fit.replace(" fit ", " compare-laws ") in lines


def test_its_tables_name_what_there_is(page):
    for name in (*READER_NAMES, *DROP_RULES, *ACCEPT_RULES, *set(COLUMNS) - {"accuracy",
                 "bits_per_byte"}):  # fmt: skip
        assert name in page, name
    header = next(line for line in page.splitlines() if line.startswith("    size,mixture"))
    assert set(header.strip().split(",")) == {*long_table(), "seed"}


def test_options_reach_the_config():
    command = (
        "mixlaws fit --losses l.csv --mixtures m.csv --weights web=0.6,code=0.4 --available "
        "web=60B,code=9B --natural web=0.8,code=0.2 --schedule cosine --warmup-steps 2000 "
        "--horizon 100000 --compute-params 70M=95M,1B=1.1B --drop spike --accept rising --size 70M "
        "--named ours:web=0.6,code=0.4 --named old:web=1 --tokens-per-document web=812,code=1.5K"
    )
    config = complete_config(config_of(parse(command)))
    assert config["validation"]["weights"] == {"web": 0.6, "code": 0.4}
    assert config["available_tokens"] == {"web": 60 * 10**9, "code": 9 * 10**9}
    assert config["mixtures"]["natural"] == {"web": 0.8, "code": 0.2}
    assert config["mixtures"]["named"] == {"ours": {"web": 0.6, "code": 0.4}, "old": {"web": 1.0}}
    assert config["recipes"]["tokens_per_document"] == {"web": 812, "code": 1500}
    assert config["losses"]["schedule"] == {
        "kind": "cosine", "warmup_steps": 2000, "horizon": 100_000, "final_rate": 0.1
    }  # fmt: skip
    assert config["losses"]["compute_params"] == {"70M": 95 * 10**6, "1B": 1.1e9}
    assert (config["losses"]["drop"], config["losses"]["accept"]) == (["spike"], ["rising"])
    assert config["target"] == {"size": None, "tokens": None}


def test_the_shipped_experiment_is_complete(root):
    from mixlaws.config.complete import read_config

    assert read_config(root / "experiments/own_losses.yaml").target.size == "1B"
