"""What later stages would refuse is refused in the config, with their own words."""

import copy

import pytest
import yaml

from mixlaws.config.complete import complete_config
from mixlaws.errors import ConfigError

SINGLE = {"training.sizes": ["332K"], "training.num_evaluations": 1, "target.tokens": 614_400}


@pytest.fixture(scope="module")
def demo(root):
    return yaml.safe_load((root / "tests/config/whole.yaml").read_text())


def changed(demo, changes):
    config = copy.deepcopy(demo)
    for key, value in changes.items():
        *path, last = key.split(".")
        section = config
        for name in path:
            section = section.setdefault(name, {})
        section[last] = value
    return config


REFUSED = [
    (
        {"optimum.limits": {"python": [0.6, 1], "docs": [0.5, 1]}},
        "optimum: the limits leave no mixture: these cannot hold together with shares that sum to "
        "1: python >= 0.6; docs >= 0.5. Relax one of them in optimum.limits",
    ),
    (
        {
            "optimum.limits": {"python": [0.3, 1]},
            "optimum.groups": {"code": {"domains": ["python", "cpp"], "limits": [0, 0.2]}},
        },
        "python >= 0.3; code <= 0.2 (group of python, cpp). Relax one of them",
    ),
    (
        {
            "domains.python.available_tokens": 10_000,
            "optimum.limits": {"python": [0.5, 1]},
        },
        "python >= 0.5; python <= 0.0325521 (by its available tokens). Relax one of them",
    ),
    (
        {
            "mixtures.limits": {"python": [0.3, 0.3], "docs": [0.1, 0.11]},
            "mixtures.lattice": 4,
        },
        "mixtures: no mixture on the 1/4 lattice is within the limits",
    ),
    ({"mixtures.count": 1}, "mixtures.count: must be at least 2, found 1: with uniform and"),
    ({"mixtures.held_out": 33}, "mixtures.held_out: must be at most 32, found 33"),
    (
        {"mixtures.count": 300, "mixtures.lattice": 8},
        "mixtures: mixtures.count asks for 300 mixtures, but only 0 are within mixtures.limits on "
        "this lattice beside the 20 that are kept for held-out ones",
    ),
    (
        {"training.num_evaluations": 2},
        "laws.pipeline: the runs have 3 size(s) and losses at 2 number(s) of tokens: they do not "
        "show how losses go on to the target, 3.37 times the largest size and 2 times its tokens",
    ),
    (
        SINGLE | {"laws.pipeline": "joint"},
        "laws.pipeline is joint, which cannot be used here: the runs have 1 size(s) and losses at "
        "1 number(s) of tokens, from which no law in size or tokens can be fitted",
    ),
    (
        {"training.sizes": ["332K"], "laws.pipeline": "joint"},
        "1 proxy size(s) with 8 evaluations each are too few for laws.pipeline joint: no fold is "
        "left that shows how losses go on to the target (joint: no early cut of 0.3, 0, 0.2, 0.4 "
        "leaves enough sizes and checkpoints for the inner folds)",
    ),
    (
        {"training.num_evaluations": 3, "laws.pipeline": "nested"},
        "3 proxy size(s) with 3 evaluations each are too few for laws.pipeline nested",
    ),
    (
        {
            "training.num_evaluations": 3,
            "training.evaluation_spacing": "linear",
            "training.first_evaluation": 0.5,
            "laws.pipeline": "auto",
        },
        "3 proxy size(s) with 3 evaluations each are too few for laws.pipeline auto",
    ),
    (
        {"training.sizes": ["332K"], "laws.pipeline": "loglog", "laws.early_cut": 0.95},
        "too few for laws.pipeline loglog: no fold is left",
    ),
    (
        {
            "optimum.prior": {"mixture": "uniform", "strength": 0.1},
            "mixtures": {"limits": {"python": [0, 0]}, "count": 4, "held_out": 0},
        },
        "optimum.prior: the prior mixture has no share of ['python'], which the limits allow",
    ),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED)
def test_what_a_later_stage_would_refuse_is_refused_in_the_config(demo, changes, words):
    with pytest.raises(ConfigError) as error:
        complete_config(changed(demo, changes))
    assert words in str(error.value)


@pytest.mark.parametrize(
    "changes",
    [
        SINGLE,
        SINGLE | {"laws.pipeline": "auto"},
        {"training.sizes": ["332K"], "laws.pipeline": "auto"},
        {"training.num_evaluations": 3, "laws.pipeline": "auto"},
        {"training.num_evaluations": 3, "laws.pipeline": "joint"},
        {"laws.pipeline": "loglog", "laws.early_cut": 0.95},
        {"optimum.limits": {"python": [0.5, 0.5], "docs": [0.5, 0.5]}},
    ],
)
def test_what_the_stages_can_do_is_allowed(demo, changes):
    assert complete_config(changed(demo, changes))


def test_problems_of_several_stages_come_in_one_message(demo):
    changes = {
        "mixtures.count": 1,
        "training.num_evaluations": 2,
        "training.warmup_steps": 900,
        "optimum.limits": {"python": [0.6, 1], "docs": [0.5, 1]},
    }
    with pytest.raises(ConfigError) as error:
        complete_config(changed(demo, changes))
    keys = [line.split(":")[0] for line in str(error.value).splitlines()]
    assert keys == [
        "the config has 4 problems",
        "  - training.warmup_steps",
        "  - mixtures.count",
        "  - optimum",
        "  - laws.pipeline",
    ]
