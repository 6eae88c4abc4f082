"""Parquet files: those of this workflow have checksums; what other files state is compared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mixlaws.errors import DataError
from mixlaws.footers import SEAL, check_footer, seal


def open_parquet(path: str | Path) -> pq.ParquetFile:
    """Open a Parquet file of this workflow, whose footer is checked.

    Reading it verifies the checksums of its pages.
    """
    with undamaged(path):
        check_footer(path)
        return pq.ParquetFile(path, page_checksum_verification=True)


def close_sealed(writer: pq.ParquetWriter, path: str | Path) -> None:
    """Close a file of this workflow that is written, with the checksum of its footer."""
    writer.add_key_value_metadata(SEAL)
    writer.close()
    seal(path)


def read_group(
    file: pq.ParquetFile, path: str | Path, group: int, columns: Sequence[str]
) -> pa.Table:
    """Return the named columns of one row group."""
    with undamaged(path):
        return file.read_row_group(group, columns=list(columns))


@contextmanager
def undamaged(path: str | Path) -> Iterator[None]:
    """Turn what reading a Parquet file raises into a DataError that names the file."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} is damaged and cannot be read: {error}. Delete it and run again"
        ) from error


def read_key(path: str | Path, key: bytes) -> dict[str, Any]:
    """Return the record that is stored in a Parquet file under a key."""
    with open_parquet(path) as file:
        metadata = file.metadata.metadata or {}
    if key not in metadata:
        raise DataError(
            f"{path} has no record {key.decode()}: this workflow did not write it. Delete it and "
            "run again"
        )
    with undamaged(path):
        record: dict[str, Any] = json.loads(metadata[key])
    return record


def check_rows(metadata: pq.FileMetaData) -> None:
    """Raise ArrowInvalid if the footer of somebody's Parquet file contradicts itself.

    Such a footer has no checksum, but it states the rows of the file and of each row group. What it
    states of single columns is not looked at: for some damage pyarrow ends the process there.
    """
    counts = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    if sum(counts) != metadata.num_rows or min(counts, default=0) < 0:
        raise pa.ArrowInvalid(
            f"its footer states {metadata.num_rows:,} rows, and {sum(counts):,} in its row groups"
        )
