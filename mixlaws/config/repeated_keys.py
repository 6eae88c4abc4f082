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
    documents = {path: list(_mappings(_document(path), "")) for path in paths}
    for find, words in (
        (_no_text, "keys of the config that YAML does not read as text. Put them in quotes"),
        (_repeated, "duplicate keys in the config. Rename or remove one of each"),
    ):
        found = [
            f"  - {path}: {problem}"
            for path, mappings in documents.items()
            for _, problem in sorted(each for mapping in mappings for each in find(*mapping))
        ]
        if found:
            raise ConfigError("\n".join([f"{words}:", *found]))


def _document(path: str | Path) -> Any:
    return yaml.compose(Path(path).read_text(encoding="utf-8"))


def _mappings(node: Any, prefix: str) -> Iterator[tuple[str, list[Any]]]:
    """Yield the prefix and the keys of each mapping in a YAML document."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _mappings(item, prefix)
    elif isinstance(node, yaml.MappingNode):
        yield prefix, [key for key, _ in node.value]
        for key, value in node.value:
            yield from _mappings(value, f"{prefix}{key.value}.")


def _repeated(prefix: str, keys: list[Any]) -> Iterator[tuple[int, str]]:
    """Yield the line and the description of each key that occurs twice in a mapping."""
    lines: dict[str, int] = {}
    for key in keys:
        line = _line(key)
        if key.value in lines:
            first = lines[key.value]
            yield first, f"{prefix}{key.value} on lines {first} and {line}"
        lines[key.value] = line


def _no_text(prefix: str, keys: list[Any]) -> Iterator[tuple[int, str]]:
    """Yield the line and the description of each key of a mapping that is not text."""
    for key in keys:
        if key.tag not in _TEXT:
            line, kind = _line(key), _KINDS.get(key.tag.rpartition(":")[2], "another type")
            yield line, f"{prefix}{key.value} on line {line}, read as {kind}: write '{key.value}'"


def _line(key: Any) -> int:
    return int(key.start_mark.line) + 1
