"""Find keys that occur twice in a config file; YAML silently keeps the last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from mixlaws.errors import ConfigError


def check_repeated_keys(paths: Iterable[str | Path]) -> None:
    """Raise ConfigError naming every key that occurs twice in a config file, with its lines.

    If two domains had the same name, YAML would keep the second and silently drop the first.
    """
    problems = [
        f"{path}: {problem}"
        for path in paths
        for problem in _repeated(yaml.compose(Path(path).read_text(encoding="utf-8")), "")
    ]
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
