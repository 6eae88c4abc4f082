"""The config: its schema, then what must hold across keys; all problems at once."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from mixlaws.config.published import published_problems
from mixlaws.config.repeated_keys import check_repeated_keys
from mixlaws.errors import ConfigError
from mixlaws.runs.shapes import NAMED_SHAPES, Shape
from mixlaws.text.parts import filter_problem

SCHEMAS = Path(__file__).parent
WEIGHT_TOLERANCE = 1e-6
# In the order of the schema's branches.
_SOURCE_KINDS = ["embedded", "files", "huggingface", "tokens"]


def complete_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config with every default filled in.

    A config with `published` fits laws to published losses and has a schema of its own. Raises
    ConfigError listing every problem: key, what must hold, what was found.
    """
    published = "published" in config
    name = "published.schema.yaml" if published else "experiment.schema.yaml"
    schema = yaml.safe_load((SCHEMAS / name).read_text())
    filled = copy.deepcopy(dict(config))
    _fill_defaults(filled, schema, schema["$defs"])
    _fill_sizes(filled)
    crossed = published_problems if published else _cross_problems
    problems = list(_schema_problems(filled, schema)) or list(crossed(filled))
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ConfigError(f"the config has {count}:\n" + "\n".join(f"  - {p}" for p in problems))
    return _plain_integers(filled, schema)


def read_config(path: Path) -> dict[str, Any]:
    """Return the complete config of an experiment file.

    Raises ConfigError when there is no such file, when it is no YAML mapping, for keys that occur
    twice, and for all that `complete_config` refuses.
    """
    if not path.is_file():
        raise ConfigError(f"there is no config file {path}: name one with --configfile")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path} is not valid YAML: {reason}") from error
    if not isinstance(config, dict):
        raise ConfigError(f"{path} holds no keys: copy config.yaml and change it")
    check_repeated_keys([path])
    return complete_config(config)


def _fill_defaults(value: Any, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> None:
    """Write the schema's defaults into a mapping, recursively."""
    schema = _resolved(schema, definitions)
    if not isinstance(value, dict):
        return
    for key, child in _properties(value, schema).items():
        child = _resolved(child, definitions)
        if key not in value and "default" in child:
            value[key] = copy.deepcopy(child["default"])
        if key in value:
            _fill_defaults(value[key], child, definitions)


def _fill_sizes(config: dict[str, Any]) -> None:
    """Write the shapes of sizes that are only named: those of Pythia need no numbers."""
    sizes, training, target = (config.get(key) for key in ("sizes", "training", "target"))
    if not (isinstance(sizes, dict) and isinstance(training, dict) and isinstance(target, dict)):
        return  # the schema says what is wrong
    proxies = training.get("sizes")
    wanted = [*proxies, target.get("size")] if isinstance(proxies, list) else []
    for name in wanted:
        if isinstance(name, str) and name not in sizes and name in NAMED_SHAPES:
            keys = ("num_layers", "model_width", "num_heads")
            sizes[name] = dict(zip(keys, NAMED_SHAPES[name], strict=True))


def _resolved(schema: Any, definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Follow a reference into $defs."""
    if not isinstance(schema, dict):
        return {}
    reference = schema.get("$ref")
    return definitions[reference.removeprefix("#/$defs/")] if reference else schema


def _properties(value: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of each key that `value` has or may have."""
    properties = dict(schema.get("properties", {}))
    for branch in schema.get("oneOf", []):
        if branch["properties"]["source"]["const"] == value.get("source"):
            properties |= branch["properties"]
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        properties |= {key: others for key in value if key not in properties}
    return properties


def _schema_problems(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield the schema's complaints as `key: what must hold, what was found`."""
    validator = jsonschema.Draft202012Validator(schema)
    for error in sorted(validator.iter_errors(config), key=lambda e: [str(p) for p in e.path]):
        yield from _explained(error)


def _explained(error: jsonschema.ValidationError) -> Iterator[str]:
    """Yield one line per fault, in the words of the config's author."""
    key = ".".join(str(part) for part in error.absolute_path) or "config"
    if error.validator == "oneOf" and isinstance(error.instance, dict):
        kind = error.instance.get("source")
        branch = _SOURCE_KINDS.index(kind) if kind in _SOURCE_KINDS else None
        for inner in error.context or []:
            if inner.schema_path[0] == branch:
                yield from _explained(inner)
        return
    if error.validator == "additionalProperties":
        allowed = sorted(error.schema.get("properties", {}))
        for name in sorted(set(error.instance) - set(allowed)):
            yield f"{key}: must have known keys only ({', '.join(allowed)}), found {name!r}"
        return
    if error.validator == "type" and error.validator_value in ("integer", "number"):
        hint = ""
        if isinstance(error.instance, str):
            hint = " as text (YAML reads 1e9 as text: write 1_000_000_000, or 1.0e+9)"
        article = "an" if error.validator_value == "integer" else "a"
        yield f"{key}: must be {article} {error.validator_value}, found {error.instance!r}{hint}"
        return
    yield f"{key}: {error.message}"


def _plain_integers(value: Any, schema: Any) -> Any:
    """Turn integral floats such as 1.0e+9 into integers where the schema asks for integers."""
    definitions = schema.get("$defs", {})

    def convert(value: Any, schema: Any) -> Any:
        schema = _resolved(schema, definitions)
        if isinstance(value, dict):
            children = _properties(value, schema)
            return {key: convert(item, children.get(key, {})) for key, item in value.items()}
        kind = schema.get("type")
        if isinstance(value, float) and (kind == "integer" or "integer" in (kind or [])):
            return int(value)
        return value

    return convert(value, schema)


def _cross_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what must hold between keys and does not."""
    yield from _text_problems(config)
    yield from _domain_problems(config)
    yield from _size_problems(config)
    yield from _target_problems(config)
    yield from _training_problems(config)
    yield from _process_problems(config)


def _text_problems(config: Mapping[str, Any]) -> Iterator[str]:
    given = [key for key in ("train", "file", "name") if key in config["tokenizer"]]
    if len(given) != 1:
        yield (f"tokenizer: must have one of train, file, name, found {', '.join(given) or 'none'}")
    sources = config["domains"] | config["validation"]["domains"]
    tokens = [name for name, source in sources.items() if source["source"] == "tokens"]
    if tokens and "train" in config["tokenizer"]:
        yield (
            "tokenizer: must be given (file or name) where domains are token files "
            f"({', '.join(tokens)}), found train: name the tokenizer.json they were made with"
        )
    for section, domains in (
        ("", config["domains"]),
        ("validation.", config["validation"]["domains"]),
    ):
        for domain, options in domains.items():
            expression = options.get("filter")
            if expression is not None and (problem := filter_problem(expression)):
                yield (
                    f"{section}domains.{domain}.filter: must be an expression, found "
                    f"{expression!r} ({problem})"
                )


def _domain_problems(config: Mapping[str, Any]) -> Iterator[str]:
    training, extra = set(config["domains"]), set(config["validation"]["domains"])
    if training & extra:
        yield (
            "validation.domains: must not repeat a training domain, found "
            f"{', '.join(sorted(training & extra))}: a training domain has its own validation split"
        )
    weights = config["validation"]["weights"]
    if unknown := sorted(set(weights) - training - extra):
        yield (
            f"validation.weights: must name domains ({', '.join(sorted(training | extra))}), "
            f"found {', '.join(unknown)}"
        )
    if abs(sum(weights.values()) - 1) > WEIGHT_TOLERANCE:
        yield f"validation.weights: must sum to 1, found {sum(weights.values()):.6g}"
    grouped = {d for group in config["optimum"]["groups"].values() for d in group["domains"]}
    if unknown := sorted(grouped - training):
        yield (
            f"optimum.groups: must name training domains ({', '.join(sorted(training))}), "
            f"found {', '.join(unknown)}"
        )
    for key in ("mixtures", "optimum"):
        if unknown := sorted(set(config[key]["limits"]) - training):
            yield (
                f"{key}.limits: must name training domains ({', '.join(sorted(training))}), "
                f"found {', '.join(unknown)}"
            )


def _size_problems(config: Mapping[str, Any]) -> Iterator[str]:
    sizes = config["sizes"]
    for name, shape in sizes.items():
        width, heads = shape["model_width"], shape["num_heads"]
        if width % heads or (width // heads) % 2:
            yield (
                f"sizes.{name}: model_width must be an even multiple of num_heads, "
                f"found {width} and {heads}"
            )
        elif config["training"]["layout"] == "neox" and (width // heads) % 8:
            yield (
                f"sizes.{name}: model_width / num_heads must be a multiple of 8 in layout neox, "
                f"which rotates a quarter of it, found {width // heads}"
            )
    for name in config["training"]["sizes"]:
        if name not in sizes:
            yield f"training.sizes: must name sizes ({', '.join(sizes)}), found {name!r}"
    if config["target"]["size"] not in sizes:
        yield (
            f"target.size: must name one of sizes ({', '.join(sizes)}), "
            f"found {config['target']['size']!r}"
        )
    yield from _extrapolation_problems(config)


def _extrapolation_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield a lone proxy size that is not the target's: nothing tells how loss falls with size."""
    sizes, proxies, target = config["sizes"], config["training"]["sizes"], config["target"]["size"]
    if not {*proxies, target} <= sizes.keys():
        return
    num_params = {name: Shape(**sizes[name]).num_params for name in {*proxies, target}}
    if {num_params[name] for name in proxies} == {num_params[proxies[0]]} != {num_params[target]}:
        yield (
            f"training.sizes: losses of one proxy size ({', '.join(proxies)}) cannot be "
            f"extrapolated to another size, the target's {target}. Add sizes to training.sizes "
            f"(two at least, better three), or set target.size to {proxies[0]}"
        )


def _target_problems(config: Mapping[str, Any]) -> Iterator[str]:
    training, tokens = config["training"], config["target"]["tokens"]
    batch_tokens = training["batch_size"] * training["sequence_length"]
    if "confirmation" in config and tokens % batch_tokens:
        yield (
            "target.tokens: must be a multiple of training.batch_size * sequence_length "
            f"({batch_tokens:,}) to be trained, found {tokens:,}"
        )
    if tokens < training["num_steps"] * batch_tokens:
        yield (
            "target.tokens: must not be below what a proxy sees "
            f"({training['num_steps'] * batch_tokens:,}), found {tokens:,}"
        )
    for domain, (low, high) in config["optimum"]["limits"].items():
        if low > high:
            yield f"optimum.limits.{domain}: lower limit must not exceed upper, found {low}, {high}"


def _training_problems(config: Mapping[str, Any]) -> Iterator[str]:
    training = config["training"]
    kind, horizon = training["schedule"], training["schedule_horizon"]
    batch_tokens = training["batch_size"] * training["sequence_length"]
    longest = config["target"]["tokens"] // batch_tokens
    if kind != "constant":
        if training["averaging_exponent"] is not None:
            yield (
                f"training.averaging_exponent: must be null with schedule {kind}, found "
                f"{training['averaging_exponent']:g}: a falling rate averages the weights itself"
            )
        end = horizon or (longest if kind == "cosine" else training["num_steps"])
        trained = longest if "confirmation" in config else training["num_steps"]
        if horizon and horizon < trained:
            yield (
                f"training.schedule_horizon: must not be below the longest run ({trained:,} "
                f"steps), found {horizon:,}"
            )
        if end <= training["warmup_steps"]:
            yield (
                f"training.warmup_steps: must be below the schedule's end (step {end:,}), found "
                f"{training['warmup_steps']:,}"
            )
    elif horizon:
        yield "training.schedule_horizon: must be null with schedule constant, which has no end"


def _process_problems(config: Mapping[str, Any]) -> Iterator[str]:
    training, own = config["training"], config.get("confirmation", {})
    stages = {"training": training}
    if own.keys() & {"devices", "num_nodes", "strategy"}:
        stages["confirmation"] = training | own
    for stage, options in stages.items():
        devices = options["devices"] * options["num_nodes"]
        multiple = (options["micro_batch_size"] or 1) * devices
        if options["batch_size"] % multiple:
            yield (
                "training.batch_size: must be a multiple of micro_batch_size * devices * num_nodes "
                f"of {stage} ({multiple}), found {options['batch_size']}"
            )
        if devices > 1 and options["strategy"] == "auto":
            yield f"{stage}.strategy: must be ddp or fsdp on {devices} devices, found auto"
