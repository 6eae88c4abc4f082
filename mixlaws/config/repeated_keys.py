"""Find keys that YAML takes for something else: of two equal keys the last, false for no."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from mixlaws.errors import ConfigError

_TEXT = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")
_KINDS = {
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "timestamp": "a date",
    "null": "null",
}


def check_repeated_keys(paths: Iterable[str | Path]) -> None:
    """Raise ConfigError naming every key that occurs twice in a config file, with its lines.

    If two domains had the same name, YAML would keep the second and silently drop the first. Raises
    ConfigError too for keys that YAML reads as another type than text, such as no, 2019 or a date.
    """
    nodes = {path: yaml.compose(Path(path).read_text(encoding="utf-8")) for path in paths}
    other = [f"{path}: {each}" for path, node in nodes.items() for each in _no_text(node, "")]
    if other:
        raise ConfigError(
            "keys of the config that YAML does not read as text. Put them in quotes:\n"
            + "\n".join(f"  - {problem}" for problem in other)
        )
    problems = [f"{path}: {each}" for path, node in nodes.items() for each in _repeated(node, "")]
    if problems:
        raise ConfigError(
            "duplicate keys in the config. Rename or remove one of each:\n"
            + "\n".join(f"  - {problem}" for problem in problems)
        )


def _repeated(node: Any, prefix: str) -> Iterator[str]:
    """Yield the keys that occur twice in a mapping of a YAML document, with their lines."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated(item, prefix)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        line = key.start_mark.line + 1
        if name in lines:
            yield f"{name} on lines {lines[name]} and {line}"
        lines[name] = line
        yield from _repeated(value, f"{name}.")


def _no_text(node: Any, prefix: str) -> Iterator[str]:
    """Yield the keys in a YAML document that are no text, with their lines and their quotes."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _no_text(item, prefix)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if key.tag not in _TEXT:
            kind = _KINDS.get(key.tag.rpartition(":")[2], "another type")
            yield (
                f"{prefix}{key.value} on line {key.start_mark.line + 1}, read as {kind}: write "
                f"'{key.value}'"
            )
        yield from _no_text(value, f"{prefix}{key.value}.")
