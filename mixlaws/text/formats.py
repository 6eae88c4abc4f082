"""File formats: the records of a text, JSON lines, Parquet or Arrow file."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixlaws.errors import DataError
from mixlaws.text.parts import SourceFile
from mixlaws.text.selection import missing_field, not_utf8

if TYPE_CHECKING:
    import pyarrow as pa

# pyarrow is imported where a file is read: the Snakefile needs the suffixes alone.

# Rows decoded at a time from columnar files; documents can be large.
_BATCH_ROWS = 64
_BUFFER_BYTES = 2**20

Found = bytes | dict[str, Any] | str
"""What a reader gives: a line of JSON, a row, or a text."""
Record = tuple[str, float, Found]
"""Where a record is, how many bytes of the file it took, and the record."""


def read_records(file: SourceFile, columns: list[str]) -> Iterator[Record]:
    """Yield the records of one file; `columns` are the fields that columnar formats must read.

    Raises DataError, naming the file, when it cannot be read or has changed since it was listed.
    """
    path = Path(file.path)
    suffix = next(suffix for suffix in SUFFIXES if path.name.endswith(suffix))
    with _explained(path):
        before = path.stat()
        _check_unchanged(path, file.num_bytes, before.st_size)
        yield from _READERS[suffix](path, columns)
        after = path.stat()
        _check_unchanged(path, file.num_bytes, after.st_size)
        if after.st_mtime_ns != before.st_mtime_ns:
            raise DataError(
                f"{path} was written to while it was read. Wait until nothing writes to it, and "
                "run again"
            )


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what reading a file raises into an error that names it."""
    import pyarrow as pa

    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(not_utf8(str(path), error)) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is not a complete gzip file: {error}. Copy it again") from error
    except (OSError, pa.ArrowInvalid) as error:
        kind = "is not a complete Zstandard file" if path.suffix == ".zst" else "cannot be read"
        raise DataError(
            f"{path} {kind}: {error}. Check the file and its permissions, or copy it again"
        ) from error


def _check_unchanged(path: Path, planned: int, found: int) -> None:
    if planned != found:
        raise DataError(
            f"{path} has changed: it had {planned:,} bytes when the run was planned and has "
            f"{found:,} now. Wait until nothing writes to it, and run again"
        )


def _read_text(path: Path, _columns: list[str]) -> Iterator[Record]:
    yield str(path), path.stat().st_size, path.read_text(encoding="utf-8")


def _read_lines(path: Path, _columns: list[str]) -> Iterator[Record]:
    """Yield JSON lines; the units of a line are the bytes of the file read to get it."""
    import pyarrow as pa

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


def _read_parquet(path: Path, columns: list[str]) -> Iterator[Record]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES) as file:
        _check_columns(path, columns, file.schema_arrow.names)
        units = path.stat().st_size / max(1, file.metadata.num_rows)
        batches = file.iter_batches(columns=columns, batch_size=_BATCH_ROWS)
        yield from _numbered(path, ((batch, units) for batch in batches))


def _read_arrow(path: Path, columns: list[str]) -> Iterator[Record]:
    """Yield the rows of an Arrow file, or of a stream such as the `datasets` library saves."""
    import pyarrow as pa

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
            raise DataError(missing_field(column, found, str(path)))


def _numbered(path: Path, batches: Iterator[tuple[pa.RecordBatch, float]]) -> Iterator[Record]:
    number = 0
    for batch, units in batches:
        for row in batch.to_pylist():
            number += 1
            yield f"{path}, row {number:,}", units, row


_READERS: dict[str, Callable[[Path, list[str]], Iterator[Record]]] = {
    ".txt": _read_text,
    ".jsonl": _read_lines,
    ".jsonl.gz": _read_lines,
    ".jsonl.zst": _read_lines,
    ".json.gz": _read_lines,  # they hold JSON lines too
    ".json.zst": _read_lines,
    ".parquet": _read_parquet,
    ".arrow": _read_arrow,
}
SUFFIXES = tuple(_READERS)
"""What a file's name may end in."""
