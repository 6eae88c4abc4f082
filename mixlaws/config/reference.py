"""Generate the JSON schemas and docs/config.md from the models of the config.

python -m mixlaws.config.reference            # write the files
python -m mixlaws.config.reference --check    # list the files that are out of date
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mixlaws.config.experiment import Experiment
from mixlaws.config.losses import LossesExperiment
from mixlaws.config.published import PublishedExperiment
from mixlaws.config.section import Section

PACKAGE = Path(__file__).parent
PROJECT = PACKAGE.parents[1]
ROOTS: dict[str, type[Section]] = {
    "experiment": Experiment,
    "losses": LossesExperiment,
    "published": PublishedExperiment,
}
Schema = Mapping[str, Any]
_INTRODUCTION = """\
# Config reference

This page lists every key of a config file. `python -m mixlaws.config.reference` generates it from
the models in `mixlaws/config`; edit those instead of this page. Editors can complete and check YAML
with the schemas in `mixlaws/config/*.schema.json`: start a file in `experiments/` with the line
`# yaml-language-server: $schema=../mixlaws/config/experiment.schema.json`.

Counts are integers. YAML reads `1e9` as text; write `1_000_000_000` or `1.0e+9`. NAME is a name of
your choice. A key whose default is "absent" may be left out or null.
"""
_TITLES = {
    "experiment": "An experiment that trains models",
    "losses": "An experiment on losses that you have",
    "published": "An experiment on published losses",
}
_LIMITS = {
    "exclusiveMinimum": "above",
    "minimum": "at least",
    "exclusiveMaximum": "below",
    "maximum": "at most",
}
# For limits inside a list or beside null, pydantic writes its own names.
_SPELLINGS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
}
_TYPES = {
    "null": "null",
    "integer": "integer",
    "number": "number",
    "boolean": "true or false",
    "string": "text",
}


def main(arguments: list[str]) -> int:
    """Write the files, or with --check list those that are out of date and return 1 if any is."""
    stale = [path for path, text in references().items() if not _is(path, text)]
    if arguments == ["--check"]:
        for path in stale:
            print(f"{path} is out of date: run python -m mixlaws.config.reference")
        return bool(stale)
    for path in stale:
        path.write_text(references()[path], encoding="utf-8")
        print(path)
    return 0


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def references() -> dict[Path, str]:
    """Return the text of every generated file."""
    found = {
        PACKAGE / f"{name}.schema.json": json.dumps(json_schema(root), indent=1) + "\n"
        for name, root in ROOTS.items()
    }
    pages = (
        _page(_TITLES[name], _cleaned(root.model_json_schema(), leave_out=("title",)))
        for name, root in ROOTS.items()
    )
    return found | {PROJECT / "docs/config.md": "\n".join([_INTRODUCTION, *pages])}


def json_schema(root: type[Section]) -> dict[str, Any]:
    """Return the JSON schema of a config file."""
    schema = _cleaned(root.model_json_schema(), leave_out=("title", "absent"))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _cleaned(node: Any, leave_out: tuple[str, ...]) -> Any:
    """Leave out titles and our own marks, and spell pydantic's limits as in JSON schema."""
    if isinstance(node, list):
        return [_cleaned(each, leave_out) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        _SPELLINGS.get(name, name): _cleaned(child, leave_out)
        for name, child in node.items()
        # A key of a section may be named like one left out, but its schema is a mapping.
        if isinstance(child, dict) or name not in leave_out
    }


def _page(title: str, schema: Schema) -> str:
    """Return the part of the page about one kind of config: a table for each section."""
    tables: dict[str, str] = {}
    for place, section in _sections(schema, schema, ""):
        # Training and validation-only domains have the same keys, so one table serves both.
        tables.setdefault(json.dumps(section), f"### {place}\n\n{_table(section, schema)}")
    return "\n".join([f"## {title}\n", *tables.values()])


def _sections(schema: Schema, node: Schema, place: str) -> Iterator[tuple[str, Schema]]:
    """Yield the place and the schema of every section below a node."""
    for child in node.get("anyOf", []) + node.get("oneOf", []):
        yield from _sections(schema, child, place)
    if "$ref" in node:
        yield from _sections(schema, _resolved(node, schema), place)
    if isinstance(node.get("additionalProperties"), dict):
        yield from _sections(schema, node["additionalProperties"], f"{place}.NAME")
    for child in node.get("patternProperties", {}).values():
        yield from _sections(schema, child, f"{place}.NAME")
    if "items" in node:
        yield from _sections(schema, node["items"], f"{place}, each entry")
    if "properties" in node:
        kind = node["properties"].get("source", {}).get("const")
        yield (f"`{place}`" if place else "Top level") + (f", source {kind}" if kind else ""), node
        for name, child in node["properties"].items():
            yield from _sections(schema, child, f"{place}.{name}" if place else name)


def _resolved(node: Schema, schema: Schema) -> dict[str, Any]:
    found: dict[str, Any] = schema["$defs"][node["$ref"].removeprefix("#/$defs/")]
    return found


def _table(section: Schema, schema: Schema) -> str:
    """Return the keys of one section as a table."""
    lines = ["| key | type | unit | default | meaning |", "|---|---|---|---|---|"]
    for name, node in section["properties"].items():
        description = node.get("description")
        if description is None and "$ref" in node:  # pydantic writes equal descriptions once
            description = _resolved(node, schema)["description"]
        default = "required" if name in section.get("required", []) else _default(node)
        cells = [f"`{name}`", _type(node, schema), node.get("unit", ""), default, description or ""]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _default(node: Schema) -> str:
    if "absent" in node:
        return "absent"
    return f"`{json.dumps(node['default'])}`" if "default" in node else ""


def _type(node: Schema, schema: Schema) -> str:
    """Return in words which values a key may have."""
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        return ", ".join(
            f"`{each if isinstance(each, str) else json.dumps(each)}`" for each in node["enum"]
        )
    if "$ref" in node:
        return "section"
    if "anyOf" in node or "oneOf" in node:
        kinds = dict.fromkeys(_type(each, schema) for each in node.get("anyOf", node.get("oneOf")))
        return " or ".join(kind for kind in kinds if not (kind == "null" and "absent" in node))
    kind = node.get("type")
    if isinstance(kind, list):
        return " or ".join(_TYPES[each] for each in kind)
    if kind == "array":
        return f"list of {_type(node['items'], schema)}"
    if kind == "object":
        values = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
        found = next((each for each in values if isinstance(each, dict)), None)
        return f"{_type(found, schema)} by name" if found else "keys with values"
    limits = [f"{words} {node[name]:g}" for name, words in _LIMITS.items() if name in node]
    name = _TYPES.get(str(kind), "anything")
    return f"{name} ({', '.join(limits)})" if limits else name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
