"""The gate at the end of tokenizing: counts that cannot serve what the config plans."""

import copy
import random
from dataclasses import replace

import pytest
import yaml
from fixture_counts import plant_manifests

from mixlaws.config.complete import read_sections
from mixlaws.config.counted import Counts, find_problems, read_counts
from mixlaws.errors import DataError
from mixlaws.runs.sweep import list_runs, plan_of_tokens
from mixlaws.text.accounting import manifest_table

ENOUGH = {"python": 2_000_000, "docs": 2_500_000, "cpp": 1_500_000}
MEASURED = dict.fromkeys([*ENOUGH, "tests", "rst"], 64 * 128 + 1)


def make_counts(train=ENOUGH, validation=MEASURED):
    total = sum(train.values())
    return Counts(train, validation, {domain: each / total for domain, each in train.items()})


@pytest.fixture(scope="module")
def demo(root):
    return yaml.safe_load((root / "tests/config/whole.yaml").read_text())


def problems(demo, counts, **changes):
    config = copy.deepcopy(demo)
    for section, keys in changes.items():
        config[section] = config.get(section, {}) | keys
    return find_all(config, counts)


def find_all(config, counts):
    sections = read_sections(config)
    return list(find_problems(counts, plan_of_tokens(sections, list_runs(sections))))


def test_counts_that_are_just_enough_pass(demo):
    assert problems(demo, make_counts()) == []


def test_windows_are_counted_per_validation_domain(demo):
    counts = make_counts(validation=MEASURED | {"rst": 64 * 128, "tests": 100})
    assert problems(demo, counts) == [
        "validation domain tests: its 100 tokens hold 0 of the 64 windows of 128 tokens. Give it "
        "more text, raise validation.share, or lower training.sequence_length",
        "validation domain rst: its 8,192 tokens hold 63 of the 64 windows of 128 tokens. Give it "
        "more text, raise validation.share, or set validation.num_windows to at most 63",
    ]


def test_every_problem_comes_at_once(demo):
    found = problems(demo, make_counts(ENOUGH | {"cpp": 100}, MEASURED | {"rst": 0}))
    assert [each.split(":")[0] for each in found] == [
        "domain cpp",
        "validation domain rst",
        "a proxy of 614,400 tokens would repeat text more than training.max_epochs (1) times",
        "a confirmation of 1,228,800 tokens would repeat text more than training.max_epochs (1) "
        "times",
    ]
    assert "cpp has 100 training tokens, and " in found[2]
    assert "needs 537,600 of them (5.38e+03 epochs), the most of 11 mixtures" in found[2]
    assert "and uniform needs 409,600 of them (4.1e+03 epochs), the most of 2" not in found[3]


def test_a_domain_exactly_used_up_passes(demo):
    counts = make_counts(dict.fromkeys(ENOUGH, 537_600))
    assert problems(demo, counts, confirmation={"mixtures": []}) == []


def test_a_natural_mixture_that_is_uniform_leaves_too_few(demo):
    counts = make_counts(dict.fromkeys(ENOUGH, 3_000_000))
    assert problems(demo, counts, mixtures={"count": 2}) == [
        "mixtures: some are equal, so 3 different ones are left, and the laws need 4. Raise "
        "mixtures.count"
    ]
    assert problems(demo, counts, mixtures={"count": 3}) == []


def test_counted_tokens_limit_the_optimum_of_a_confirmation(demo):
    counts = make_counts(ENOUGH | {"python": 600_000})
    limits = {"limits": {"python": [0.6, 1]}}
    changes = {"optimum": limits, "confirmation": {"mixtures": ["natural"]}}
    (found,) = problems(demo, counts, **changes)
    assert "python >= 0.6; python <= 0.488281 (by its available tokens)" in found
    config = copy.deepcopy(demo) | {"optimum": limits}
    del config["confirmation"]
    assert find_all(config, counts) == []


def test_a_lattice_that_would_round_the_optimum_beyond_the_text_is_refused(demo):
    train = {"python": 540_000, "docs": 540_000, "cpp": 540_000}
    changes = {
        "mixtures": {"lattice": 5, "limits": {}, "count": 2, "held_out": 0},
        "optimum": {"limits": {"cpp": [0.15, 0.19]}},
        "training": {"num_steps": 300},
        "confirmation": {"mixtures": []},
    }
    found = problems(demo, make_counts(train), **changes)
    assert "mixtures.lattice: no mixture on the 1/5 lattice is within the limits" in found[-1]


def test_a_confirmed_mixture_that_is_only_predicted_needs_its_text(demo):
    counts = make_counts(ENOUGH | {"cpp": 614_400})
    mixtures = {"named": {"ours": {"cpp": 0.75, "docs": 0.25}}}
    assert problems(demo, counts, mixtures=mixtures) == []
    (found,) = problems(demo, counts, mixtures=mixtures, confirmation={"mixtures": ["ours"]})
    assert "cpp has 614,400 training tokens, and ours needs 921,600 of them (1.5 epochs)" in found


def test_natural_that_is_stated_or_left_out_needs_no_count(demo):
    config = copy.deepcopy(demo) | {"confirmation": demo["confirmation"] | {"mixtures": []}}
    config["mixtures"] = demo["mixtures"] | {"train_natural": False}
    sections = read_sections(config)
    manifests = plant_manifests(sections.model_dump(), random.Random(0))
    blind = [replace(each, text_bytes_before_cap=None) for each in manifests]
    assert read_counts(blind, counts_natural=False).natural is None
    with pytest.raises(DataError, match="the size of the whole source is unknown for"):
        read_counts(blind)
    assert set(manifest_table(blind, list(config["domains"]))["natural_share"]) == {None}
    plan = plan_of_tokens(sections, list_runs(sections))
    assert (plan["counts_natural"], plan["predicted"]) == (False, [])
