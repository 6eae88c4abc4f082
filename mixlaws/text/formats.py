"""File formats: the records of a text, JSON lines, Parquet or Arrow file."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixlaws.errors import DataError
from mixlaws.text.content import (
    BYTE_ORDER_MARK,
    HEAD_BYTES,
    check_file,
    check_json_lines,
    check_text,
)
from mixlaws.text.parts import SourceFile
from mixlaws.text.selection import (
    MAX_DOCUMENT_BYTES,
    REPAIR_ROW,
    missing_field,
    not_utf8,
    too_large,
)

if TYPE_CHECKING:
    import pyarrow as pa

# pyarrow is imported where a file is read: the Snakefile needs the suffixes alone.

# Rows decoded at a time from columnar files; documents can be large.
BATCH_ROWS = 64
_BUFFER_BYTES = 2**20
# A line holds a document and other fields. A longer one is not held in memory.
_MAX_LINE_BYTES = 8 * MAX_DOCUMENT_BYTES


@dataclass(frozen=True)
class Unreadable:
    """A record that no reader can decode."""

    problem: str
    """Words that follow its place."""


Found = bytes | dict[str, Any] | Unreadable
"""What a reader gives: a line of JSON, a row, or a record that cannot be read."""
Record = tuple[str, float, Found]
"""Where a record is, how many bytes of the file it took, and the record."""


def read_records(file: SourceFile, columns: list[str]) -> Iterator[Record]:
    """Yield the records of one file; `columns` are the fields that columnar formats must read.

    Raises DataError, naming the file, when it cannot be read, holds something else than its name
    says, or has changed since it was listed.
    """
    path = Path(file.path)
    suffix = next(suffix for suffix in SUFFIXES if path.name.endswith(suffix))
    with _explained(path):
        before = path.stat()
        _check_unchanged(path, file.num_bytes, before.st_size)
        if file.stamp not in (None, stamp_of(before)):
            raise DataError(
                f"{path} was replaced or written to since the run was planned, although its size "
                "is the same. Wait until nothing writes to it, and run again"
            )
        if before.st_size == 0:
            print(f"{path} has 0 bytes, and so no text")
        with path.open("rb") as opened:
            check_file(opened.read(HEAD_BYTES), str(path), suffix)
        yield from _READERS[suffix](path, columns)
        after = path.stat()
        _check_unchanged(path, file.num_bytes, after.st_size)
        if stamp_of(after) != stamp_of(before):
            raise DataError(
                f"{path} was written to while it was read. Wait until nothing writes to it, and "
                "run again"
            )


def stamp_of(found: os.stat_result) -> tuple[int, int]:
    """Return what differs between a file and one that replaced it: last change (ns) and inode."""
    return found.st_mtime_ns, found.st_ino


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what reading a file raises into an error that names it, and the remedy for its cause."""
    import pyarrow as pa

    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is not a complete gzip file: {error}. Copy it again") from error
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:  # such as a column's name
        raise DataError(f"{path} {_cause(path, error)}") from error


def _cause(path: Path, error: Exception) -> str:
    """Return what is wrong with a file, and the remedy."""
    if isinstance(error, PermissionError):
        return f"cannot be read: {error.strerror}. Check the file and its permissions"
    if "Frame requires too much memory" in str(error):
        return (
            "was compressed with a window above 128 MiB (`zstd --long`), and none above is held in "
            "memory. Recompress it: `zstd -dc --long=31 FILE | zstd -o NEW.zst`"
        )
    if path.suffix == ".zst":
        return f"is not a complete Zstandard file: {error}. Copy it again"
    if "codec" in str(error).lower() and "support" in str(error).lower():
        return f"cannot be read: {error}. Write it again with zstd or snappy compression"
    if "encrypted" in str(error).lower() or "decryption" in str(error).lower():
        return f"is encrypted: {error}. Decrypt it first"
    told = str(error).rstrip(".")
    return f"cannot be read: {told}. Check the file and its permissions, or copy it again"


def _check_unchanged(path: Path, planned: int, found: int) -> None:
    if planned != found:
        raise DataError(
            f"{path} has changed: it had {planned:,} bytes when the run was planned and has "
            f"{found:,} now. Wait until nothing writes to it, and run again"
        )


def _read_text(path: Path, columns: list[str]) -> Iterator[Record]:
    size = path.stat().st_size
    found: Found
    if size > MAX_DOCUMENT_BYTES:
        found = Unreadable(too_large(size))
    else:
        # As text files are read: every end of line becomes \n.
        data = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        try:
            found = {columns[0]: data.decode()}
        except UnicodeDecodeError as error:
            found = Unreadable(not_utf8(error))
    yield str(path), size, found


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
        check_text(lines.peek(HEAD_BYTES)[:HEAD_BYTES], str(path))
        before, is_first = 0, True
        for number, line in enumerate(_bounded(lines), start=1):
            now = file.tell()
            units, before = now - before, now
            if isinstance(line, Unreadable):
                yield f"{path}, line {number:,}", units, line
            elif line.strip():
                # Files with a mark may have been joined, so any line may begin with one.
                line = line.removeprefix(BYTE_ORDER_MARK)
                if is_first:
                    check_json_lines(line, str(path))
                is_first = False
                yield f"{path}, line {number:,}", units, line


def _bounded(file: Any) -> Iterator[bytes | Unreadable]:
    """Yield the lines of a file; one that is too long is passed over in pieces."""
    while line := file.readline(_MAX_LINE_BYTES):
        if len(line) < _MAX_LINE_BYTES or line.endswith(b"\n"):
            yield line
            continue
        size = len(line)
        while not line.endswith(b"\n") and (line := file.readline(_BUFFER_BYTES)):
            size += len(line)
        yield Unreadable(too_large(size))


def _read_parquet(path: Path, columns: list[str]) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from mixlaws.text.parquet import check_rows

    with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, page_checksum_verification=True) as file:
        check_rows(file.metadata)
        _check_columns(path, columns, file.schema_arrow.names)
        units = path.stat().st_size / max(1, file.metadata.num_rows)
        count, number = file.num_row_groups, 0
        for group in range(count):
            before = number
            try:
                for batch in file.iter_batches(
                    columns=columns, batch_size=BATCH_ROWS, row_groups=[group]
                ):
                    for row in rows_of(batch):
                        number += 1
                        yield f"{path}, row {number:,}", units, row
                found, stated = number - before, file.metadata.row_group(group).num_rows
                if found != stated:
                    raise pa.ArrowInvalid(f"its footer states {stated:,} rows in it, not {found:,}")
            except (OSError, pa.ArrowException) as error:
                raise DataError(
                    f"{path}, row group {group + 1:,} of {count:,} (after row {number:,}), "
                    f"{_cause(path, error)}"
                ) from error


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
        number = 0
        for batch in batches:
            chosen = batch.select(columns)
            _check_offsets(chosen)
            for start in range(0, batch.num_rows, BATCH_ROWS):
                for row in rows_of(chosen.slice(start, BATCH_ROWS)):
                    number += 1
                    yield f"{path}, row {number:,}", batch.nbytes / batch.num_rows, row


def _check_offsets(batch: pa.RecordBatch) -> None:
    """Raise ArrowInvalid if a damaged file's columns point outside their values.

    Text that is not UTF-8 is no such damage: its row is a bad line.
    """
    import pyarrow as pa

    bytes_of = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}
    for column in batch.columns:
        kind = bytes_of.get(column.type)
        try:
            (column if kind is None else column.view(kind)).validate(full=True)
        except pa.ArrowInvalid as error:
            if "UTF8" not in str(error):
                raise


def _check_columns(path: Path, columns: list[str], found: list[str]) -> None:
    for column in columns:
        if column not in found:
            raise DataError(missing_field(column, found, str(path)))


def rows_of(batch: pa.RecordBatch | pa.Table) -> Iterator[dict[str, Any] | Unreadable]:
    """Yield the rows of a batch; one that Python cannot hold is yielded as unreadable."""
    try:
        yield from batch.to_pylist()
    except (ValueError, OverflowError):
        for number in range(batch.num_rows):
            try:
                (row,) = batch.slice(number, 1).to_pylist()
            except UnicodeDecodeError as error:
                yield Unreadable(not_utf8(error, REPAIR_ROW))
            except (ValueError, OverflowError) as error:  # such as a date that Python has not
                yield Unreadable(f"cannot be read: {error}. {REPAIR_ROW}")
            else:
                yield row


_READERS: dict[str, Callable[[Path, list[str]], Iterator[Record]]] = {
    ".txt": _read_text,
    ".jsonl": _read_lines,
    ".jsonl.gz": _read_lines,
    ".jsonl.zst": _read_lines,
    ".json": _read_lines,  # these hold JSON lines too
    ".json.gz": _read_lines,
    ".json.zst": _read_lines,
    ".parquet": _read_parquet,
    ".arrow": _read_arrow,
}
SUFFIXES = tuple(_READERS)
"""What a file's name may end in."""
