"""Documents: their ids and splits, and the Parquet file of each part of a domain."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mixlaws.text.parquet import close_sealed, open_parquet, read_group, read_key, undamaged

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


def document_id(text: str) -> str:
    """Return the sha256 of the text with every run of white space as one space."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()


def split_of(document: str, validation_share: float) -> str:
    """Return the split of a document id. It depends on the id alone: added files move no document.

    The first 52 bits of the id are a uniform draw on [0, 1).
    """
    return "validation" if int(document[:13], 16) / 16**13 < validation_share else "train"


class DocumentWriter:
    """Writes documents to Parquet in the order given."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = pq.ParquetWriter(path, SCHEMA, compression="zstd", write_page_checksum=True)

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Append rows with the columns of SCHEMA as one row group."""
        self._writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))

    def finish(self, record: Mapping[str, Any]) -> None:
        """Write the record of the part into the file, and close it."""
        self._writer.add_key_value_metadata({_RECORD_KEY: json.dumps(record, sort_keys=True)})
        close_sealed(self._writer, self._path)

    def __enter__(self) -> DocumentWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()


def read_record(path: str | Path) -> dict[str, Any]:
    """Return the record inside a documents file: the domain, and what was read and dropped."""
    return read_key(path, _RECORD_KEY)


def read_columns(path: str | Path, *columns: str) -> pa.Table:
    """Return the named columns of a documents file, whole."""
    with open_parquet(path) as file, undamaged(path):
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

    A piece is a run of row groups. With more pieces than row groups some pieces are empty.
    """
    with open_parquet(path) as file:
        first, last = (file.num_row_groups * k // num_pieces for k in (piece, piece + 1))
        for group in range(first, last):
            yield read_group(file, path, group, columns).to_pylist()
