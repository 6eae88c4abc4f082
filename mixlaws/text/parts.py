"""Parts and shards: how the text of a domain is divided among jobs, known without opening a file.

A part is what one job reads: a run of files, or a slice of a dataset. A shard is what one job turns
into tokens: a run of small parts, or a piece of a large one. The division does not change the
result: documents keep the order of the domain's files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SourceFile:
    """A file of a domain as it was when the run was planned."""

    path: str
    num_bytes: int
    stamp: tuple[int, int] | None = field(default=None, compare=False)
    """Time of its last change (ns) and inode; None if nobody looked."""


@dataclass(frozen=True)
class Part:
    """What one job reads."""

    files: tuple[SourceFile, ...] = ()
    """In reading order; empty for sources that are not files."""
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

    def stamps(self) -> list[list[int] | None]:
        """Return the stamps of its files in plain types.

        They are no part of `as_param`: a file that was touched and has its old size is the same.
        """
        return [None if file.stamp is None else list(file.stamp) for file in self.files]

    def stamped(self, stamps: Sequence[Sequence[int] | None]) -> Part:
        """Return the part with the stamps that `stamps` described."""
        pairs = zip(self.files, stamps, strict=True)
        files = (
            replace(file, stamp=None if each is None else (each[0], each[1]))
            for file, each in pairs
        )
        return replace(self, files=tuple(files))


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


def cut_into_runs(sizes: Sequence[int], limit: int) -> list[list[int]]:
    """Cut 0..n-1 into runs whose sizes sum to at most `limit`; a larger one is a run by itself."""
    runs: list[list[int]] = []
    total = 0
    for place, size in enumerate(sizes):
        if not runs or total + size > limit:
            runs.append([])
            total = 0
        runs[-1].append(place)
        total += size
    return runs


def by_domain(paths: Iterable[str]) -> dict[str, list[str]]:
    """Return the files of several domains by the name of their folder, in the order given."""
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(Path(path).parent.name, []).append(path)
    return found
