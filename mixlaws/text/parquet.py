"""Parquet files of this workflow: read with checksums; an error names a damaged file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mixlaws.errors import DataError


def open_parquet(path: str | Path) -> pq.ParquetFile:
    """Open a Parquet file; reading it verifies the checksums of its pages."""
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
