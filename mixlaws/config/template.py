"""A commented config to start one's own experiment from: `mixlaws init NAME`.

The comments are the descriptions of the models, so that they are never out of date.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from mixlaws.config.experiment import Experiment
from mixlaws.config.section import NAME
from mixlaws.errors import ConfigError

_TEMPLATE = Path(__file__).with_name("new_experiment.yaml.j2")
_WIDTH = 100


def write_config(name: str, folder: Path, *, small: bool = False) -> Path:
    """Write folder/NAME.yaml and return its path.

    Raises ConfigError if the name cannot name a folder of results, or if the file exists.
    """
    path = folder / f"{name}.yaml"
    text = new_config(name, small=small)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{path} exists and is kept. Choose another name") from None
    return path


def new_config(name: str, *, small: bool = False) -> str:
    """Return the text of a config: at real sizes, or with models that train in minutes on a laptop.

    Raises ConfigError if the name cannot name a folder of results.
    """
    if not re.fullmatch(NAME, name):
        raise ConfigError(
            f"{name!r} cannot name an experiment. Use letters, digits, dots, hyphens and "
            "underscores, with a letter or a digit first"
        )
    environment = Environment(
        trim_blocks=True, undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    schema = Experiment.model_json_schema()

    def about(key: str, indent: int = 0) -> str:
        return _as_comment(describe_key(schema, key), indent)

    return template.render(name=name, small=small, about=about)


def _as_comment(text: str, indent: int) -> str:
    """Return text as lines of a comment; the first stands at the end of the template's indent."""
    lines = textwrap.wrap(text, _WIDTH - indent - len("# "))
    return f"\n{' ' * indent}".join(f"# {line}" for line in lines)


def describe_key(schema: Mapping[str, Any], key: str) -> str:
    """Return the description and unit of a dotted key in the JSON schema of a config.

    A domain is named by its kind of source: domains.files.paths.
    """
    node = schema
    for name in key.split("."):
        node = _child(schema, node, name)
    text = node.get("description") or _resolved(schema, node)["description"]
    return f"{text} Unit: {node['unit']}." if "unit" in node else str(text)


def _child(schema: Mapping[str, Any], node: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = _resolved(schema, node)
    if "properties" in section:
        found: Mapping[str, Any] = section["properties"][name]
        return found
    # Names of the user's choice; `source` tells their sections apart.
    (values,) = section["patternProperties"].values()
    return _resolved(schema, {"$ref": values["discriminator"]["mapping"][name]})


def _resolved(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the section that a node refers to, if necessary beside null."""
    options = [each for each in node.get("anyOf", []) if "$ref" in each]
    reference = (options[0] if options else node).get("$ref")
    return node if reference is None else schema["$defs"][reference.rsplit("/", 1)[1]]
