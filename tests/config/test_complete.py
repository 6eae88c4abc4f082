import copy

import pytest
import yaml

from mixlaws.config.complete import complete_config, read_sections
from mixlaws.errors import ConfigError


def test_a_job_does_not_check_keys_against_each_other_again(demo):
    demo["target"]["tokens"] = 1
    assert "target.tokens" in problems(demo)
    assert read_sections(demo, is_checked=True).target.tokens == 1
    demo["target"]["tokens"] = "1"
    with pytest.raises(ConfigError, match=r"target\.tokens: must be an integer"):
        read_sections(demo, is_checked=True)


@pytest.fixture
def demo(root):
    return yaml.safe_load((root / "tests/config/whole.yaml").read_text())


def problems(config):
    with pytest.raises(ConfigError) as error:
        complete_config(config)
    return str(error.value)


def test_the_demo_is_complete_and_left_unchanged(demo):
    before = copy.deepcopy(demo)
    complete = complete_config(demo)
    assert demo == before
    assert complete["training"]["averaging_exponent"] == 10
    assert complete["optimum"]["max_epochs"] == 4
    assert complete_config(complete) == complete


def test_every_shipped_experiment_is_valid(root):
    paths = sorted((root / "experiments").glob("*.yaml"))
    assert paths
    for path in paths:
        config = yaml.safe_load(path.read_text())
        assert complete_config(config)["experiment"], path


def test_one_proxy_size_cannot_be_extrapolated_to_another(demo):
    demo["training"]["sizes"] = ["56K"]
    text = problems(demo)
    assert "one proxy size (56K) cannot be extrapolated to another size, the target's 332K" in text
    assert "Add sizes to training.sizes" in text
    assert "set target.size to 56K" in text
    demo["target"]["size"] = "56K"
    assert complete_config(demo)
    demo["training"]["sizes"], demo["target"]["size"] = ["25K", "56K"], "332K"
    assert complete_config(demo)


def test_sizes_of_one_shape_are_one_size(demo):
    demo["sizes"]["same"] = demo["sizes"]["56K"]
    demo["training"]["sizes"] = ["56K", "same"]
    assert "one proxy size (56K, same)" in problems(demo)


def test_unknown_keys_are_named_with_near_ones_or_else_all(demo):
    demo["mixtrues"] = {}
    demo["domains"]["python"]["haverst"] = "python"
    demo["target"]["qwertz"] = 1
    text = problems(demo)
    assert text.startswith("the config has 3 problems:")
    assert "  - mixtrues: unknown key. Did you mean mixtures?" in text
    assert "  - domains.python.haverst: unknown key. Did you mean harvest?" in text
    assert "  - target.qwertz: unknown key. Known here: size, tokens" in text


def test_scientific_notation_read_as_text_is_explained(demo):
    demo["target"]["tokens"] = "1e9"
    text = problems(demo)
    assert "target.tokens: must be an integer, found '1e9' as text" in text
    assert "write 1_000_000_000, or 1.0e+9" in text


WRONG = [
    ("training.num_steps", None, "must be an integer, found null"),
    ("training.num_steps", 0, "must be at least 1, found 0"),
    ("training.num_steps", True, "must be an integer, found true"),
    ("training.num_steps", "abc", "must be an integer, found 'abc'"),
    ("training.learning_rate", float("inf"), "must be a finite number, found inf"),
    ("training.tied_embeddings", "yes", "must be true or false, found 'yes'"),
    ("training.compile", "yes", "must be auto, true or false, found 'yes'"),
    ("training.seeds", [0, 0], "must have each entry once, found several of 0"),
    ("training.seeds", 0, "must be a list, found 0"),
    ("training", None, "must be keys with values, found null"),
    ("validation.share", 1, "must be below 1, found 1"),
    ("domains", {}, "must have at least 2 entries, found 0"),
    ("domains.python.harvest", "x", "must be python, docs, cpp, tests or rst, found 'x'"),
    ("domains.python.source", "web", "must be one of embedded, files, huggingface, tokens, found"),
    (
        "domains.bad name",
        {"source": "embedded", "harvest": "docs"},
        "the name must consist of letters,",
    ),
    ("domains.python.filter", "x", "unknown key."),
    ("mixtures.limits", {"docs": [0.5, 0.2]}, "the lower limit exceeds the upper one"),
    (
        "laws.mixing",
        "M2",
        "must be auto, additive, exponential, M1, implicit, sqrt-linear, additive-power or "
        "additive-terms, found 'M2'",
    ),
    ("experiment", "a/b", "must consist of letters, digits, dots, hyphens"),
]


@pytest.mark.parametrize(("key", "value", "words"), WRONG)
def test_a_wrong_value_is_one_line_with_its_key(demo, key, value, words):
    *path, last = key.split(".")
    section = demo
    for name in path:
        section = section.setdefault(name, {})
    section[last] = value
    lines = problems(demo).splitlines()
    assert len(lines) == 2, lines
    assert lines[0] == "the config has 1 problem:"
    assert lines[1].startswith("  - ")
    assert f"{key.split('.')[0]}" in lines[1]
    assert words in lines[1]


def test_a_missing_key_is_named_with_its_meaning(demo):
    del demo["target"]["tokens"]
    del demo["validation"]
    text = problems(demo)
    assert "target.tokens: missing. Training tokens D." in text
    assert "validation: missing. Validation domains, and their weights" in text


def test_null_leaves_out_an_optional_section(demo):
    demo["confirmation"] = None
    assert "confirmation" not in complete_config(demo)


def test_a_complete_config_is_made_of_plain_built_ins(root):
    """Snakemake does not compare other types, so a change of one would rerun nothing."""
    paths = [root / "config.yaml", *sorted((root / "experiments").glob("*.yaml"))]
    for path in paths:
        check_plain(complete_config(yaml.safe_load(path.read_text())))


def check_plain(value):
    assert type(value) in (dict, list, str, int, float, bool, type(None)), value
    if isinstance(value, dict):
        for each in [*value, *value.values()]:
            check_plain(each)
    if isinstance(value, list):
        for each in value:
            check_plain(each)


def test_integral_floats_count_as_integers(demo):
    demo["target"]["tokens"] = 1.024e6
    tokens = complete_config(demo)["target"]["tokens"]
    assert tokens == 1_024_000
    assert isinstance(tokens, int)


def test_all_cross_key_problems_come_at_once(demo):
    demo["validation"]["weights"]["docs"] = 0.8
    demo["target"] = {"size": "7B", "tokens": 1000}
    demo["mixtures"]["limits"]["web"] = [0, 1]
    demo["sizes"]["25K"]["num_heads"] = 3
    demo["training"]["sizes"] = ["25K", "9K"]
    text = problems(demo)
    for expected in (
        "validation.weights: must sum to 1, found 1.1",
        "target.size: must name one of sizes",
        "found '7B'",
        "mixtures.limits: must name training domains (cpp, docs, python), found web",
        "sizes.25K: model_width must be an even multiple of num_heads, found 32 and 3",
        "training.sizes: must name sizes (25K, 56K, 99K, 332K), found '9K'",
        "target.tokens: must not be below the tokens of a proxy",
    ):
        assert expected in text
    assert text.startswith("the config has 7 problems:")


def test_a_domain_cannot_be_trained_on_and_validation_only(demo):
    demo["validation"]["domains"]["docs"] = {"source": "embedded", "harvest": "docs"}
    assert "must not repeat a training domain, found docs" in problems(demo)


def test_named_sizes_need_no_numbers(demo):
    demo["training"]["sizes"] = ["25K", "70M"]
    demo["target"] = {"size": "1B", "tokens": 1_024_000_000}
    sizes = complete_config(demo)["sizes"]
    assert sizes["70M"] == {"num_layers": 6, "model_width": 512, "num_heads": 8}
    assert sizes["1B"] == {"num_layers": 16, "model_width": 2048, "num_heads": 8}
    demo["sizes"]["70M"] = {"num_layers": 3, "model_width": 64, "num_heads": 2}
    assert complete_config(demo)["sizes"]["70M"]["num_layers"] == 3


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"schedule": "cosine"}, "averaging_exponent: must be null with schedule cosine, found 10"),
        ({"schedule_horizon": 900}, "schedule_horizon: must be null with schedule constant"),
        (
            {"schedule": "cosine", "averaging_exponent": None, "schedule_horizon": 700},
            "schedule_horizon: must not be below the target's last step (1,200), found 700",
        ),
        (
            {"schedule": "wsd", "averaging_exponent": None, "warmup_steps": 600},
            "warmup_steps: must be below training.num_steps (600), found 600: no proxy would reach",
        ),
        (
            {"schedule": "constant", "warmup_steps": 700},
            "warmup_steps: must be below training.num_steps (600), found 700: no proxy would reach",
        ),
        (
            {"schedule": "wsd", "averaging_exponent": None, "decay_share": 0.96},
            "decay_share: must be at most 0.95, found 0.96: with the warm-up of 30 steps the decay "
            "must fit into the schedule's 600 steps",
        ),
        (
            {"devices": 3, "strategy": "ddp"},
            "batch_size: must be a multiple of training.micro_batch_size",
        ),
        ({"devices": 2}, "strategy: must be ddp or fsdp on 2 devices, found auto"),
        ({"layout": "neox", "sizes": ["50K"]}, "must be a multiple of 8 with training.layout neox"),
    ],
)
def test_what_training_cannot_do_is_named(demo, change, expected):
    demo["sizes"]["50K"] = {"num_layers": 2, "model_width": 48, "num_heads": 4}
    demo["training"] |= change
    assert expected in problems(demo)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"devices": 2}, "confirmation.strategy: must be ddp or fsdp on 2 devices, found auto"),
        (
            {"devices": 3, "strategy": "ddp"},
            "training.batch_size: must be a multiple of training.micro_batch_size * devices * "
            "num_nodes of confirmation (3), found 8",
        ),
    ],
)
def test_what_a_target_on_devices_of_its_own_cannot_do_is_named(demo, change, expected):
    demo["training"]["batch_size"] = 8
    demo["confirmation"] |= change
    assert expected in problems(demo)
