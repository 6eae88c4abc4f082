"""Config files as text: what YAML hides from who reads the config."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from mixlaws.errors import ConfigError


def check_repeated_keys(paths: Iterable[str | Path]) -> None:
    """Raise ConfigError naming every key that stands twice in a config file, with its lines.

    YAML takes the last of them without a word: of two domains of one name, one would be gone.
    """
    problems = [
        f"{path}: {problem}"
        for path in paths
        for problem in _repeated(yaml.compose(Path(path).read_text(encoding="utf-8")), "")
    ]
    if problems:
        raise ConfigError(
            "each key must stand once, but:\n"
            + "\n".join(f"  - {problem}: rename or remove one" for problem in problems)
        )


def _repeated(node: Any, prefix: str) -> Iterator[str]:
    """Yield the keys that stand twice in a mapping of a YAML document."""
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
            yield f"{name} stands in line {lines[name]} and in line {line}"
        lines[name] = line
        yield from _repeated(value, f"{name}.")
