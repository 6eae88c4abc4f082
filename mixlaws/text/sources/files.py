"""The source `files`: local files of text."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import ClassVar

from mixlaws.errors import ConfigError, DataError
from mixlaws.text.formats import SUFFIXES, read_records, stamp_of
from mixlaws.text.parts import Part, SourceFile, cut_into_runs
from mixlaws.text.sources.paths import expand_path, folder_problem, matching_files
from mixlaws.text.sources.source import Reading, RecordSource, SourceText, key

_WEB = (".warc", ".wet", ".wat")
# How many bytes of text a byte of a compressed file holds, about.
_COMPRESSION = {".gz": 3, ".zst": 3, ".parquet": 2}


@dataclass(frozen=True, kw_only=True)
class FilesSource(RecordSource):
    """Local files: .txt (one document each), JSON lines, Parquet and Arrow."""

    name: ClassVar[str] = "files"

    paths: Sequence[str] = key(
        "Glob patterns of .txt, .jsonl (also .gz, .zst), .parquet or .arrow files; ** matches "
        "subfolders, ~ is the home folder, $NAME is replaced by the variable.",
        type="array",
        minItems=1,
        items={"type": "string"},
    )

    def plan_parts(self, part_bytes: int) -> list[Part]:
        """Return the parts: runs of files, or all files if there is a cap.

        Raises DataError when a pattern matches nothing, ConfigError for a file that no reader can
        read.
        """
        files = list_files(self.paths)
        if self.limit:
            return [Part(tuple(files))]
        runs = cut_into_runs([file.num_bytes for file in files], part_bytes)
        return [Part(tuple(files[i] for i in run), k, len(runs)) for k, run in enumerate(runs)]

    def estimate_parts(self, part_bytes: int, num_bytes: float) -> list[Part]:
        """Return the parts; if no file is there yet, those of one file of the expected size."""
        if _match_all(self.paths):
            return self.plan_parts(part_bytes)
        total = round(num_bytes / _COMPRESSION.get(Path(self.paths[0]).suffix, 1))
        if self.limit:
            return [Part((SourceFile("", total),))]
        count = max(1, -(-total // part_bytes))
        return [Part((SourceFile("", total // count),), k, count) for k in range(count)]

    def text_bytes(self) -> float | None:
        """Return the size of the files, of compressed ones the expected size of their content."""
        sizes = [p.stat().st_size * _COMPRESSION.get(p.suffix, 1) for p in _match_all(self.paths)]
        return sum(sizes) or None

    def open(self, part: Part) -> Reading:
        """Open the files of a part, or all files if it names none; units are bytes of files."""
        # Imported here: the Snakefile lists files, and evaluates no filter.
        from mixlaws.text.records import Selector

        files = part.files or tuple(list_files(self.paths))
        selector, columns = Selector(self.selection), self.selection.columns()

        def texts() -> Iterator[SourceText]:
            for file in files:
                for found in read_records(file, columns):
                    yield selector.text(*found)

        return Reading(
            texts=texts(),
            total_units=sum(file.num_bytes for file in files),
            sample=partial(_sample, [file.num_bytes for file in files]),
            listing=[[Path(file.path).name, file.num_bytes] for file in files],
        )


def _sample(sizes: Sequence[int], units: float) -> str:
    """Return how many files were read until a cap stopped after `units` bytes of them."""
    whole = bisect_right(list(accumulate(sizes)), units)
    count, last = min(whole + 1, len(sizes)), "the start of the last" if whole else "its start"
    return f"{count:,} of {len(sizes):,} file{'s' * (len(sizes) > 1)}, {last}"


def list_files(patterns: Sequence[str]) -> list[SourceFile]:
    """Return the files that the patterns match, once each, in the order of a hash of their names.

    The order is the same on every machine. When a cap stops the reading early, it is a fair sample
    of the files; of the last one the start was read.
    """
    paths = {path for pattern in patterns for path in _checked(pattern)}
    return [_as_found(path) for path in sorted(paths, key=_order)]


def _as_found(path: Path) -> SourceFile:
    found = path.stat()
    return SourceFile(str(path), found.st_size, stamp_of(found))


def _checked(pattern: str) -> list[Path]:
    found = _match(pattern)
    if not found:
        whole = Path(expand_path(pattern, "paths"))
        if whole.is_dir():
            raise DataError(folder_problem(pattern, whole, SUFFIXES))
        raise DataError(
            f"no file matches {pattern!r} in paths. Check the spelling; relative paths start at "
            f"{Path.cwd()}"
        )
    for path in found:
        if not path.name.endswith(SUFFIXES):
            raise ConfigError(
                f"{pattern!r} in paths matches {path}, which is not in a known format. "
                f"{_format_hint(path)}"
            )
    return found


def _format_hint(path: Path) -> str:
    """Return what to do about a file whose name has no known ending."""
    name = path.name.lower()
    if name.endswith(SUFFIXES):
        return f"Endings are lower-case: rename it to {path.stem}{path.suffix.lower()}"
    if name.endswith(tuple(f"{kind}{zipped}" for kind in _WEB for zipped in ("", ".gz"))):
        return (
            "Extract the text of web archives first, with trafilatura or datatrove, and name the "
            ".jsonl or .parquet files that they write"
        )
    return f"Narrow the pattern to files that end in {', '.join(SUFFIXES)}"


def _match_all(patterns: Sequence[str]) -> list[Path]:
    return list({path for pattern in patterns for path in _match(pattern)})


def _match(pattern: str) -> list[Path]:
    return matching_files(expand_path(pattern, "paths"), SUFFIXES)


def _order(path: Path) -> tuple[str, str]:
    """Sort by a hash of the file's name alone: its folder differs between machines."""
    return hashlib.sha256(json.dumps(path.name).encode()).hexdigest(), path.as_posix()
