"""Parquet files of this workflow: read with checksums, their damage named."""

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


def read_key(path: str | Path, key: bytes) -> dict[str, Any]:
    """Return the record that a Parquet file of this workflow carries under a key."""
    with open_parquet(path) as file:
        metadata = file.metadata.metadata or {}
    if key not in metadata:
        raise DataError(
            f"{path} must carry the record {key.decode()}, but has none: delete it and run again"
        )
    with undamaged(path):
        record: dict[str, Any] = json.loads(metadata[key])
    return record
