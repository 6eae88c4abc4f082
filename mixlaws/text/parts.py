"""Parts and shards: how the text of a domain is divided among jobs, known without opening a file.

A part is what one job reads: a run of files, or a slice of a dataset. A shard is what one job turns
into tokens: a run of small parts, or a piece of a large one. Neither decides anything about the
result: documents keep the order of the domain's files, whatever the division.
"""

from __future__ import annotations

import ast
import glob
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os.path import expandvars
from pathlib import Path
from typing import Any

from mixlaws.errors import ConfigError, DataError

SUFFIXES = (
    *(".txt", ".jsonl", ".jsonl.gz", ".jsonl.zst", ".json.gz", ".json.zst"),
    *(".parquet", ".arrow"),
)
"""What a file's name may end in; .json.gz and .json.zst hold JSON lines too."""
# Bytes of text read for each token of a cap. Tokenizers reach 3 to 5 on natural text.
BYTES_PER_CAPPED_TOKEN = 8


@dataclass(frozen=True)
class SourceFile:
    """A file of a domain as it was when the run was planned."""

    path: str
    num_bytes: int


@dataclass(frozen=True)
class Part:
    """What one job reads."""

    files: tuple[SourceFile, ...] = ()
    """In reading order; empty for sources that are no files."""
    index: int = 0
    count: int = 1

    @property
    def num_bytes(self) -> int:
        """Return the size of the files on disk."""
        return sum(file.num_bytes for file in self.files)

    def as_param(self) -> dict[str, Any]:
        """Return the part in plain types, as a rule's param holds it."""
        files = [[file.path, file.num_bytes] for file in self.files]
        return {"files": files, "index": self.index, "count": self.count}


def part_from_param(param: Mapping[str, Any]) -> Part:
    """Return the part that `Part.as_param` described."""
    files = tuple(SourceFile(path, num_bytes) for path, num_bytes in param["files"])
    return Part(files, param["index"], param["count"])


@dataclass(frozen=True)
class Shard:
    """What one job turns into tokens: whole parts, or one piece of a single part."""

    parts: tuple[int, ...]
    piece: int = 0
    num_pieces: int = 1

    def as_param(self) -> dict[str, Any]:
        """Return the shard in plain types, as a rule's param holds it."""
        return {
            "parts": list(self.parts),
            "piece": self.piece,
            "num_pieces": self.num_pieces,
        }


def shard_from_param(param: Mapping[str, Any]) -> Shard:
    """Return the shard that `Shard.as_param` described."""
    return Shard(tuple(param["parts"]), param["piece"], param["num_pieces"])


def plan_parts(name: str, options: Mapping[str, Any], *, part_bytes: int) -> list[Part]:
    """Return the parts of one domain of the config; opens no file.

    A capped domain is one part: its job stops at the cap, where parallel jobs would read what
    nobody needs. Raises DataError when a pattern matches nothing, ConfigError for a file of a kind
    that cannot be read; both name the domain.
    """
    if options["source"] == "huggingface" and not is_capped(options):
        count = options["num_parts"]
        return [Part((), index, count) for index in range(count)]
    if options["source"] != "files":
        return [Part()]
    try:
        files = list_files(options["paths"])
    except (ConfigError, DataError) as error:
        raise type(error)(f"domain {name!r}: {error}") from None
    if is_capped(options):
        return [Part(tuple(files))]
    runs = _runs([file.num_bytes for file in files], part_bytes)
    return [Part(tuple(files[i] for i in run), k, len(runs)) for k, run in enumerate(runs)]


def is_capped(options: Mapping[str, Any]) -> bool:
    """Return whether a domain may stop before the end of its source."""
    return bool(options.get("max_bytes") or options.get("max_tokens"))


def reading_limit(options: Mapping[str, Any]) -> int | None:
    """Return the bytes of text at which the reading of a domain stops, or None."""
    limits = [options.get("max_bytes")]
    if options.get("max_tokens"):
        limits.append(BYTES_PER_CAPPED_TOKEN * options["max_tokens"])
    return min((limit for limit in limits if limit), default=None)


def plan_shards(
    parts: Sequence[Part], options: Mapping[str, Any], *, shard_bytes: int
) -> list[Shard]:
    """Return the shards of a domain, about `shard_bytes` of its files each.

    The size of what is no file, or is read up to a cap, is taken as the cap; of what has none
    either, as one shard a part.
    """
    limit = reading_limit(options)
    sizes = [part.num_bytes or limit or shard_bytes for part in parts]
    if limit:
        sizes = [min(size, limit) for size in sizes]
    shards: list[Shard] = []
    for run in _runs(sizes, shard_bytes):
        num_pieces = -(-sizes[run[0]] // shard_bytes) if len(run) == 1 else 1
        shards += [Shard(tuple(run), piece, num_pieces) for piece in range(num_pieces)]
    return shards


def _runs(sizes: Sequence[int], limit: int) -> list[list[int]]:
    """Cut 0..n-1 into runs whose sizes add up to at most `limit`, unless a single one is larger."""
    runs: list[list[int]] = []
    total = 0
    for place, size in enumerate(sizes):
        if not runs or total + size > limit:
            runs.append([])
            total = 0
        runs[-1].append(place)
        total += size
    return runs


def list_files(patterns: str | Sequence[str]) -> list[SourceFile]:
    """Return the files that the patterns match, once each, in hash order of their names.

    The order is a fair sample when a cap stops the reading early, and the same on every machine.
    """
    patterns = [patterns] if isinstance(patterns, str) else patterns
    paths = {path for pattern in patterns for path in _match(pattern)}
    return [SourceFile(str(path), path.stat().st_size) for path in sorted(paths, key=_order)]


def _match(pattern: str) -> list[Path]:
    # Path.glob takes no absolute pattern.
    # $NAME stands for the environment's value: no config names a machine.
    names = glob.glob(expandvars(pattern), recursive=True)  # noqa: PTH207
    found = [path for path in map(Path, names) if path.is_file()]
    if not found:
        raise DataError(
            f"paths must match at least one file, but {pattern!r} matches none: check the "
            f"spelling; relative paths start at {Path.cwd()}"
        )
    for path in found:
        if not path.name.endswith(SUFFIXES):
            raise ConfigError(
                f"paths must match files that end in {', '.join(SUFFIXES)}, but {pattern!r} "
                f"matches {path}: narrow the pattern"
            )
    return found


def _order(path: Path) -> tuple[str, str]:
    """Sort by a hash of the file's name alone: its folder differs between machines."""
    return hashlib.sha256(json.dumps(path.name).encode()).hexdigest(), path.as_posix()


def by_domain(paths: Iterable[str]) -> dict[str, list[str]]:
    """Return the files of several domains by the name of their folder, in the order given."""
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(Path(path).parent.name, []).append(path)
    return found


def filter_problem(expression: str) -> str:
    """Return what is wrong with the syntax of a filter, or an empty string."""
    try:
        ast.parse(expression.strip(), mode="eval")
    except SyntaxError as error:
        return f"{error.msg} at column {error.offset}"
    return ""
