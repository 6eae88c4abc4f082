"""Mixtures that a config states by name, and the natural one: stated, counted or left out."""

import copy

import pytest
import yaml

from mixlaws.config.complete import complete_config, read_sections
from mixlaws.errors import ConfigError

OURS = {"python": 0.25, "docs": 0.75}


@pytest.fixture(scope="module")
def demo(root):
    return yaml.safe_load((root / "tests/config/whole.yaml").read_text())


def changed(demo, **sections):
    config = copy.deepcopy(demo)
    for name, keys in sections.items():
        config[name] = config.get(name, {}) | keys
    return config


def refusal(config):
    with pytest.raises(ConfigError) as error:
        complete_config(config)
    return [line.strip(" -") for line in str(error.value).splitlines()[1:]]


def imported(**sections):
    files = {"losses": "l.csv", "mixtures": "m.csv"}
    return {"experiment": "own", "losses": {"files": files}, **sections}


def test_every_problem_of_stated_mixtures_comes_at_once(demo):
    named = {"uniform": OURS, "mix-003": OURS, "ours": {"python": 0.5}, "theirs": {"web": 1.0}}
    config = changed(
        demo,
        mixtures={"named": named, "train_named": ["mine"], "natural": {"docs": 0.9}},
        optimum={"prior": {"mixture": "mine", "strength": 0.1}},
        confirmation={"mixtures": ["ours", "yours"]},
        recipes={"tokens_per_document": {"maths": 100}},
    )
    assert refusal(config) == [
        "recipes.tokens_per_document: must name training domains (cpp, docs, python), found maths",
        "mixtures.named.uniform: must have another name: uniform, natural, optimum, best_observed, "
        "mix-NUMBER and held-NUMBER are taken",
        "mixtures.named.mix-003: must have another name: uniform, natural, optimum, best_observed, "
        "mix-NUMBER and held-NUMBER are taken",
        "mixtures.natural: must sum to 1, found 0.9",
        "mixtures.named.ours: must sum to 1, found 0.5",
        "mixtures.named.theirs: must name training domains (cpp, docs, python), found web",
        "optimum.prior.mixture: must name one of uniform, natural, mix-003, ours, theirs, "
        "found 'mine'",
        "confirmation.mixtures: must name one of uniform, natural, mix-003, ours, theirs, "
        "found 'yours'",
        "mixtures.train_named: must name mixtures of mixtures.named (uniform, mix-003, ours, "
        "theirs), found mine",
    ]


def test_natural_that_is_left_out_cannot_be_asked_for(demo):
    config = changed(
        demo,
        mixtures={"train_natural": False},
        optimum={"prior": {"mixture": "natural", "strength": 0.1}},
        confirmation={"mixtures": ["natural"]},
    )
    words = "is natural, which is left out. State its shares in mixtures.natural"
    assert refusal(config) == [f"optimum.prior.mixture: {words}", f"confirmation.mixtures: {words}"]
    config["mixtures"]["natural"] = {"python": 0.2, "docs": 0.5, "cpp": 0.3}
    assert complete_config(config)["mixtures"]["natural"]["docs"] == 0.5


def test_a_prior_without_a_share_of_an_allowed_domain_is_foreseen(demo):
    prior = {"prior": {"mixture": "ours", "strength": 0.1}}
    config = changed(demo, mixtures={"named": {"ours": OURS}}, optimum=prior)
    (found,) = refusal(config)
    assert found.startswith("optimum.prior: the prior mixture has no share of ['cpp'], which")
    config["optimum"]["limits"] = {"cpp": [0, 0]}
    assert complete_config(config)["optimum"]["prior"]["mixture"] == "ours"


def test_without_natural_one_more_mixture_must_be_sampled(demo):
    assert read_sections(changed(demo, mixtures={"count": 2}))
    few = changed(demo, mixtures={"count": 2, "train_natural": False})
    few["confirmation"]["mixtures"] = []
    assert refusal(few) == [
        "mixtures.count: must be at least 3, found 2: with uniform the laws need 4 mixtures that "
        "are not held out"
    ]
    few["mixtures"] |= {"named": {"ours": OURS}, "train_named": ["ours"]}
    assert read_sections(few)


def test_imported_losses_need_no_mixture_but_those_of_their_table():
    config = complete_config(imported())
    assert config["mixtures"] == {"natural": None, "named": {}}
    assert config["recipes"] == {"tokens_per_document": {}}
    prior = {"prior": {"mixture": "ours", "strength": 1}}
    assert refusal(imported(optimum=prior)) == [
        "optimum.prior.mixture: must name one of uniform, found 'ours'"
    ]
    named = {"named": {"ours": {"web": 0.6, "code": 0.4}}}
    assert complete_config(imported(mixtures=named, optimum=prior))["mixtures"]["named"] == {
        "ours": {"web": 0.6, "code": 0.4}
    }
