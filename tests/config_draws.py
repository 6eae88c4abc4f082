"""Random configs, drawn from the JSON schema of the config's models.

Every key, type, range and branch is the schema's: a key that is added is drawn without a change
here. What a schema cannot say is kept in three places: NEAR, the scale of numbers without an upper
limit (the demo's); NAMES, what names may refer to; and `_link`, which makes most configs agree with
themselves where independent draws would hardly ever do so.
"""

import random
from pathlib import Path

import numpy as np
import yaml

from mixlaws.config.experiment import Experiment

DEMO = yaml.safe_load((Path(__file__).parent / "config" / "whole.yaml").read_text())
SCHEMA = Experiment.model_json_schema()
OPTIONAL_PART = 0.25
SECTION_PART = 0.6
LINKED_PART = 0.93
SPREAD = 3.0
"""Numbers without an upper limit are drawn within this factor of their scale."""
NEAR = {
    "mixtures.count": 5,
    "mixtures.lattice": 48,
    "training.num_steps": 300,
    "training.seeds": 1,
    "uncertainty.replicates": 10,
    "sizes.*.num_layers": 2,
    "sizes.*.model_width": 48,
    "sizes.*.num_heads": 2,
    "confirmation.seeds": 1,
    "training.max_epochs": 4,
    "validation.weights.*": 1,
    "recipes.tokens_per_document.*": 500,
    "compute_budget.flops": 1e14,
}
NEVER = {"training.initial", "continual"}
"""They need the weights of a model, and no file is read here: tests/config/test_continual.py."""
DOMAINS = ["web", "code", "books", "prose", "maths"]
TRAINED = {"vocabulary_size": 512}
MEASURED = ["tests", "news", "talk"]
SIZES = ["S1", "S2", "S3", "S4", "S5"]
NAMES = {
    "experiment": ["trial"],
    "domains": DOMAINS,
    "validation.domains": MEASURED,
    "validation.weights": DOMAINS[:2],
    "mixtures.limits": DOMAINS[:3],
    "domains.*.clean": ["nfc", "control_characters"],
    "validation.domains.*.clean": ["nfc", "control_characters"],
    "mixtures.natural": DOMAINS[:2],
    "mixtures.named": ["ours", "theirs"],
    "mixtures.named.*": DOMAINS[:2],
    "mixtures.train_named": ["ours"],
    "recipes.tokens_per_document": DOMAINS[:2],
    "compute_budget.mixture": ["uniform", "natural", "ours"],
    "optimum.prior.mixture": ["uniform", "natural", "ours"],
    "confirmation.mixtures": ["uniform", "natural", "ours"],
    "optimum.limits": DOMAINS[:3],
    "optimum.groups": ["group", "code"],
    "optimum.groups.*.domains": DOMAINS[:3],
    "sizes": SIZES,
    "training.sizes": SIZES,
    "target.size": SIZES,
}
ALWAYS = ("sizes", "uncertainty", "replicates")
"""Optional keys that other keys refer to, or whose default takes long."""
MOST = {"sizes": 5, "training.sizes": 4, "domains": 4}
LEAST = {"sizes": 5, "domains": 2, "training.sizes": 1}


def draw_config(seed):
    """Draw a config as a YAML file would hold it; it may be contradictory."""
    draw = random.Random(seed)
    return _link(draw, _Drawing(draw).value(SCHEMA, ""))


class _Drawing:
    """Draws a value of each kind of schema."""

    def __init__(self, draw):
        self.draw = draw

    def value(self, schema, path):
        """Draw what the schema of the key `path` allows; "*" stands for a name in it."""
        if "$ref" in schema:
            schema = SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]]
        for branch in ("anyOf", "oneOf"):
            if branch in schema:
                return self.value(self.draw.choice(schema[branch]), path)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.draw.choice(schema["enum"])
        return getattr(self, f"_{schema['type']}")(schema, path)

    def _object(self, schema, path):
        if "properties" not in schema:
            return self._names(schema, path)
        required = schema.get("required", [])
        return {
            key: self.value(each, f"{path}.{key}" if path else key)
            for key, each in schema["properties"].items()
            if (f"{path}.{key}" if path else key) not in NEVER
            if key in [*required, *ALWAYS] or self.draw.random() < _part(each)
        }

    def _names(self, schema, path):
        """Draw an object whose keys are names."""
        patterns = schema.get("patternProperties") or {"": schema["additionalProperties"]}
        (below,) = patterns.values()
        least = max(schema.get("minProperties", 0), LEAST.get(path, 0))
        names = NAMES[path]
        count = self.draw.randint(least, min(MOST.get(path, 3), len(names)))
        return {name: self.value(below, f"{path}.*") for name in names[:count]}

    def _array(self, schema, path):
        least = schema.get("minItems", 0)
        most = schema.get("maxItems", MOST.get(path, max(least, 2)))
        number = self.draw.randint(max(least, LEAST.get(path, 0)), most)
        drawn = [self.value(schema["items"], path) for _ in range(number)]
        if schema.get("maxItems") == 2:  # a lower and an upper limit
            return sorted(drawn)
        return list(dict.fromkeys(drawn)) if schema.get("uniqueItems") else drawn

    def _string(self, _schema, path):
        return self.draw.choice(NAMES.get(path, ["text"]))

    def _null(self, _schema, _path):
        return None

    def _boolean(self, _schema, _path):
        return self.draw.random() < 0.5

    def _integer(self, schema, path):
        return round(self._scaled(schema, path, *_range(schema, 1)))

    def _number(self, schema, path):
        low, high = _range(schema, 1e-3)
        if (low, high) == (0, 1):
            return self.draw.choice([0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])
        if np.isfinite(high):
            return round(self.draw.uniform(low, high), 4)
        return round(self._scaled(schema, path, low, high), 6)

    def _scaled(self, schema, path, least, most):
        """Draw a number within SPREAD of the demo's, or of the default, one at least."""
        scale = NEAR.get(path, _in_demo(path, schema.get("default"))) or 0
        factor = SPREAD ** self.draw.uniform(-1, 1)
        value = scale * factor if scale else self.draw.randint(0, 3) + least
        return min(max(least, value), most)


def _part(schema):
    """Return how often an optional key is drawn: a section, or a single value."""
    return SECTION_PART if "$ref" in schema else OPTIONAL_PART


def _range(schema, step):
    """Return the limits of a number; a limit that is excluded is left by a step."""
    found = {"minimum": 0.0, "maximum": np.inf} | schema
    low, high = found.get("ge", found["minimum"]), found.get("le", found["maximum"])
    low = max(low, found.get("exclusiveMinimum", found.get("gt", -np.inf)) + step)
    return low, min(high, found.get("exclusiveMaximum", found.get("lt", np.inf)) - step)


def _in_demo(path, default):
    """Return the demo's value at a path, or the default."""
    found = DEMO
    for part in path.split("."):
        if not isinstance(found, dict) or part not in found:
            return default if isinstance(default, int | float) else None
        found = found[part]
    return found if isinstance(found, int | float) else None


def _link(draw, config):
    """Make most configs agree where independent draws would hardly ever do so."""
    training, target = config["training"], config["target"]
    for source in config["domains"].values():
        if "available_tokens" in source and source["available_tokens"] is not None:
            source["available_tokens"] = draw.choice([50_000, 500_000, 5_000_000])
    for size in config.get("sizes", {}).values():
        if draw.random() < LINKED_PART:
            size["model_width"] = size["num_heads"] * 8 * max(1, round(size["model_width"] / 16))
    if draw.random() < LINKED_PART:
        total = sum(config["validation"]["weights"].values()) or 1
        weights = config["validation"]["weights"]
        config["validation"]["weights"] = {k: w / total for k, w in weights.items()}
    if draw.random() < LINKED_PART:
        _link_mixtures(config)
    proxy = training["num_steps"] * training["batch_size"] * training["sequence_length"]
    if draw.random() < LINKED_PART:
        target["tokens"] = proxy * draw.choice([1, 1, 2, 3, 10, 100])
    if draw.random() < LINKED_PART:
        _link_tokenizer(config)
    if draw.random() < LINKED_PART:
        _link_training(training, config.get("confirmation") or {})
    return config


def _link_mixtures(config):
    """Let stated shares sum to 1, and a mixture that is asked for have a name."""
    mixtures = config.setdefault("mixtures", {})
    prior, confirmation = config.get("optimum", {}).get("prior"), config.get("confirmation") or {}
    named = [prior["mixture"]] if prior else []
    named += confirmation.get("mixtures", []) + mixtures.get("train_named", [])
    if "ours" in named:
        mixtures.setdefault("named", {})["ours"] = {"web": 0.25, "code": 0.75}
    if "natural" in named:
        mixtures.pop("train_natural", None)
    for shares in [mixtures.get("natural") or {}, *mixtures.get("named", {}).values()]:
        total, equal = sum(shares.values()), 1 / max(len(shares), 1)
        shares |= {name: each / total if total else equal for name, each in shares.items()}


def _link_tokenizer(config):
    """Give one tokenizer, and not one that is trained where there are token files."""
    sources = [config["domains"], config["validation"].get("domains", {})]
    kinds = {source["source"] for each in sources for source in each.values()}
    config["tokenizer"] = {"file": "t.json"} if "tokens" in kinds else {"train": TRAINED}


def _link_training(training, confirmation):
    """Leave out what training could not do: it is not what the trials are about."""
    for key in ("devices", "num_nodes", "micro_batch_size", "strategy"):
        training.pop(key, None)
        confirmation.pop(key, None)
    if training.get("schedule", "constant") == "constant":
        training.pop("schedule_horizon", None)
    else:
        training["averaging_exponent"] = None
    if training.get("warmup_steps", 30) >= training["num_steps"] // 2:
        training["warmup_steps"] = training["num_steps"] // 4
