"""Documents: what a source of text yields, and the Parquet file that each domain becomes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mixlaws.errors import DataError

SPLITS = ("train", "validation")
# MinHash values per document: the standard error of a similarity of 0.7 is 0.04.
NUM_HASHES = 128

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("num_bytes", pa.int64(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("signature", pa.binary(4 * NUM_HASHES), nullable=False),
    ]
)
_RECORD_KEY = b"mixlaws.record"


@dataclass(frozen=True)
class SourceText:
    """One text as a source gives it."""

    text: str
    units: float
    """What it took of the source's total: see Reading.total_units."""
    dropped: str = ""
    """Why the source itself rejects it; empty if it does not."""


@dataclass(frozen=True)
class Reading:
    """A source opened for reading, once."""

    texts: Iterator[SourceText]
    total_units: float | None
    """Size of the whole source in its own units (bytes of files, or rows); None if unknown."""
    listing: list[Any]
    """What will be read: names and sizes, not contents. Over all parts it makes the digest of the
    source, so a part that shares its entry with others leaves it to the first."""


def document_id(text: str) -> str:
    """Return the sha256 of the text with every run of white space as one space."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()


def split_of(document: str, validation_share: float) -> str:
    """Return the split of a document id: a pure function, so that added files move no other.

    The first 52 bits of the id are a uniform draw on [0, 1).
    """
    return "validation" if int(document[:13], 16) / 16**13 < validation_share else "train"


class DocumentWriter:
    """Writes documents to Parquet in the order given, in row groups of bounded size."""

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(path, SCHEMA, compression="zstd", write_page_checksum=True)

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Append rows with the columns of SCHEMA as one row group."""
        self._writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))

    def finish(self, record: Mapping[str, Any]) -> None:
        """Put the record of its part inside the file."""
        self._writer.add_key_value_metadata({_RECORD_KEY: json.dumps(record, sort_keys=True)})

    def __enter__(self) -> DocumentWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()


def read_record(path: str | Path) -> dict[str, Any]:
    """Return the record that a documents file carries: the domain and what was read and dropped."""
    return read_key(path, _RECORD_KEY)


def read_key(path: str | Path, key: bytes) -> dict[str, Any]:
    """Return the record that a Parquet file of this workflow carries under a key."""
    with opened(path) as file:
        metadata = file.metadata.metadata or {}
    if key not in metadata:
        raise DataError(
            f"{path} must carry the record {key.decode()}, but has none: delete it and run again"
        )
    with undamaged(path):
        record: dict[str, Any] = json.loads(metadata[key])
    return record


def read_columns(path: str | Path, *columns: str) -> pa.Table:
    """Return the named columns of a documents file, whole."""
    with opened(path) as file, undamaged(path):
        return file.read(list(columns))


def read_texts(path: str | Path, *, split: str, dropped: Container[str]) -> Iterator[str]:
    """Yield the texts of one split in file order, without the ids in `dropped`."""
    for rows in read_rows(path, "id", "split", "text"):
        for row in rows:
            if row["split"] == split and row["id"] not in dropped:
                yield row["text"]


def read_rows(
    path: str | Path, *columns: str, piece: int = 0, num_pieces: int = 1
) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of one piece of a documents file, a row group at a time, in file order.

    The pieces of a file are runs of row groups; there may be more of them than row groups.
    """
    with opened(path) as file:
        first, last = (file.num_row_groups * k // num_pieces for k in (piece, piece + 1))
        for group in range(first, last):
            yield read_group(file, path, group, columns).to_pylist()


def opened(path: str | Path) -> pq.ParquetFile:
    """Open a Parquet file that verifies the checksums of the pages that it reads."""
    with undamaged(path):
        return pq.ParquetFile(path, page_checksum_verification=True)


def read_group(
    file: pq.ParquetFile, path: str | Path, group: int, columns: Sequence[str]
) -> pa.Table:
    """Return the named columns of one row group."""
    with undamaged(path):
        return file.read_row_group(group, columns=list(columns))


@contextmanager
def undamaged(path: str | Path) -> Iterator[None]:
    """Name the file in whatever reading Parquet raises."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} must be what was written, but cannot be read ({error}): delete it and run "
            "again"
        ) from error
