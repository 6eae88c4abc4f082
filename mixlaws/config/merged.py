"""Several config files: Snakemake merges them, and says not which value came from where."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from mixlaws.errors import ConfigError

# Sections whose keys are names: those of both files are kept side by side.
_NAMED = ("domains", "weights", "limits", "groups", "sizes", "stated")


def merge_notes(paths: Sequence[str | Path]) -> list[str]:
    """Return what Snakemake made of several config files: which file won, and what was joined.

    The list is empty if there is one file.
    """
    merged: dict[str, Any] = {}
    notes: list[str] = []
    origin: dict[str, str] = {}
    for path in paths:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        if isinstance(found, dict):
            notes += _merge(merged, found, "", (str(path), origin))
    return notes


def _merge(
    merged: dict[str, Any], found: Mapping[str, Any], prefix: str, files: tuple[str, dict[str, str]]
) -> Iterator[str]:
    """Merge a mapping into another as Snakemake does; yield a note for each key of both."""
    path, origin = files
    for key, value in found.items():
        name, before = f"{prefix}{key}", merged.get(key)
        if isinstance(before, dict) and isinstance(value, Mapping):
            if key in _NAMED and (old := before.keys() - value.keys()):
                kept, given = ", ".join(sorted(map(str, old))), ", ".join(map(str, value))
                yield f"{name}: {kept} of {origin[name]} and {given} of {path}"
            yield from _merge(before, value, f"{name}.", files)
            continue
        if key in merged and before != value:
            yield f"{name}: {path} wins over {origin[name]}"
        merged[key] = _copy(value)
        _remember(value, name, files)


def _copy(value: Any) -> Any:
    return {key: _copy(each) for key, each in value.items()} if isinstance(value, dict) else value


def _remember(value: Any, name: str, files: tuple[str, dict[str, str]]) -> None:
    """Record the file of a key and of all keys below it."""
    files[1][name] = files[0]
    if isinstance(value, dict):
        for key, each in value.items():
            _remember(each, f"{name}.{key}", files)


@contextmanager
def with_origins(
    paths: Sequence[str | Path], given: Mapping[str, Any], *, is_told: bool
) -> Iterator[None]:
    """Add to a ConfigError where the values came from; tell it in any case if `is_told`.

    `paths` are the config files in the order given, `given` the values of --config.
    """
    try:
        yield
    except ConfigError as error:
        words = [str(error), *_origins(paths, given)]
        raise ConfigError("\n".join(words)) from error
    if is_told and len(paths) > 1 and (words := _origins(paths, {})):
        print("\n".join(words), file=sys.stderr)


def _origins(paths: Sequence[str | Path], given: Mapping[str, Any]) -> list[str]:
    """Return lines about what was merged into a config, or was not read."""
    if not paths:
        return [
            "No config file was read: config.yaml is the demo's, and is read only if neither "
            "--configfile nor an experiment is given. Add --configfile FILE"
        ]
    lines = []
    if notes := merge_notes(paths):
        lines = ["The config files are merged, and the last one wins:"]
        lines += [f"  - {note}" for note in notes]
    if given:
        names = ", ".join(sorted(given))
        lines.append(f"--config replaces {names}; Snakemake passes nested values as text")
    return lines
