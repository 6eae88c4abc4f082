"""Text from local files: plain, JSON lines, Parquet, Arrow."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mixlaws.errors import DataError
from mixlaws.text.documents import Reading, SourceText
from mixlaws.text.parts import SUFFIXES, Part, SourceFile, list_files
from mixlaws.text.records import Found, Selection, Selector, missing, not_utf8

# Rows decoded at a time from columnar files; documents can be large.
_BATCH_ROWS = 64
_BUFFER_BYTES = 2**20
# Where a record stands, its units, and the record.
_Record = tuple[str, float, Found]


@dataclass(frozen=True)
class FilesSource:
    """Local files: .txt (one document each), JSON lines, Parquet and Arrow."""

    paths: tuple[str, ...]
    """Paths or glob patterns; ** goes into subfolders."""
    selection: Selection = field(default_factory=Selection)

    def open(self, part: Part) -> Reading:
        """Open the files of a part, all if it names none; units are bytes of files."""
        files = part.files or tuple(list_files(self.paths))
        selector = Selector(self.selection)
        return Reading(
            texts=(text for file in files for text in self._read(file, selector)),
            total_units=sum(file.num_bytes for file in files),
            listing=[[Path(file.path).name, file.num_bytes] for file in files],
        )

    def _read(self, file: SourceFile, selector: Selector) -> Iterator[SourceText]:
        path = Path(file.path)
        suffix = next(suffix for suffix in SUFFIXES if path.name.endswith(suffix))
        with _explained(path):
            before = path.stat()
            _check_unchanged(path, file.num_bytes, before.st_size)
            for found in _READERS[suffix](path, selector.selection.columns()):
                yield selector.text(*found)
            after = path.stat()
            _check_unchanged(path, file.num_bytes, after.st_size)
            if after.st_mtime_ns != before.st_mtime_ns:
                raise DataError(
                    f"{path} must stay as it is while it is read, but was written to: wait until "
                    "nothing writes to it, and run again"
                )


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what reading a file raises into an error that names it."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(not_utf8(str(path), error)) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} must be a whole gzip file, but {error}: copy it again") from error
    except (OSError, pa.ArrowInvalid) as error:
        kind = "a whole Zstandard file" if path.suffix == ".zst" else "readable"
        raise DataError(
            f"{path} must be {kind}, but {error}: check the file and its permissions, or copy it "
            "again"
        ) from error


def _check_unchanged(path: Path, planned: int, found: int) -> None:
    if planned != found:
        raise DataError(
            f"{path} must stay as it was when the run was planned, {planned:,} bytes, but has "
            f"{found:,} now: wait until nothing writes to it, and run again"
        )


def _read_text(path: Path, _columns: list[str]) -> Iterator[_Record]:
    yield str(path), path.stat().st_size, path.read_text(encoding="utf-8")


def _read_lines(path: Path, _columns: list[str]) -> Iterator[_Record]:
    """Read JSON lines; the units of a line are the bytes of the file that reading it took."""
    with open(path, "rb") as file:
        lines: Any = file
        if path.suffix == ".gz":
            lines = gzip.GzipFile(fileobj=file)
        elif path.suffix == ".zst":
            stream = pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd")
            lines = io.BufferedReader(stream, _BUFFER_BYTES)
        before = 0
        for number, line in enumerate(lines, start=1):
            now = file.tell()
            units, before = now - before, now
            if line.strip():
                yield f"{path}, line {number:,}", units, line


def _read_parquet(path: Path, columns: list[str]) -> Iterator[_Record]:
    with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES) as file:
        _check_columns(path, columns, file.schema_arrow.names)
        units = path.stat().st_size / max(1, file.metadata.num_rows)
        batches = file.iter_batches(columns=columns, batch_size=_BATCH_ROWS)
        yield from _numbered(path, ((batch, units) for batch in batches))


def _read_arrow(path: Path, columns: list[str]) -> Iterator[_Record]:
    """Read an Arrow file, or a stream such as the `datasets` library saves."""
    with pa.memory_map(str(path)) as file:
        try:
            opened = pa.ipc.open_file(file)
            batches = (opened.get_batch(i) for i in range(opened.num_record_batches))
        except pa.ArrowInvalid:
            file.seek(0)
            opened = batches = pa.ipc.open_stream(file)
        _check_columns(path, columns, opened.schema.names)
        slices = (
            (batch.select(columns).slice(start, _BATCH_ROWS), batch.nbytes / batch.num_rows)
            for batch in batches
            for start in range(0, batch.num_rows, _BATCH_ROWS)
        )
        yield from _numbered(path, slices)


def _check_columns(path: Path, columns: list[str], found: list[str]) -> None:
    for column in columns:
        if column not in found:
            raise DataError(missing(column, found, str(path)))


def _numbered(path: Path, batches: Iterator[tuple[pa.RecordBatch, float]]) -> Iterator[_Record]:
    number = 0
    for batch, units in batches:
        for row in batch.to_pylist():
            number += 1
            yield f"{path}, row {number:,}", units, row


_READERS: dict[str, Callable[[Path, list[str]], Iterator[_Record]]] = {
    ".txt": _read_text,
    ".jsonl": _read_lines,
    ".jsonl.gz": _read_lines,
    ".jsonl.zst": _read_lines,
    ".json.gz": _read_lines,
    ".json.zst": _read_lines,
    ".parquet": _read_parquet,
    ".arrow": _read_arrow,
}
