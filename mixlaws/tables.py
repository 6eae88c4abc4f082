"""CSV and Parquet tables: written atomically, and read with damage named."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from mixlaws.errors import DataError
from mixlaws.files import atomic_path
from mixlaws.footers import SEAL, check_footer, seal


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV or, by suffix, Parquet; atomically, and losses to their last bit."""
    with atomic_path(path) as temporary:
        if Path(path).suffix == ".parquet":
            _write_parquet(table, temporary)
        else:
            table.to_csv(temporary, index=False)


def _write_parquet(table: pd.DataFrame, path: Path) -> None:
    # Imported here: most tables are CSV.
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = pa.Table.from_pandas(table, preserve_index=False)
    with pq.ParquetWriter(path, rows.schema, write_page_checksum=True) as writer:
        writer.write_table(rows)
        writer.add_key_value_metadata(SEAL)
    seal(path)


# These columns stay text even where all of their values are digits.
_TEXT_COLUMNS = dict.fromkeys(
    [
        *("size", "mixture", "id", "sha256", "text_fingerprint"),
        *(f"fingerprint_{part}" for part in ("source", "filter", "tokenizer", "version")),
    ],
    str,
)


def read_table(path: str | Path, columns: Iterable[str]) -> pd.DataFrame:
    """Read a CSV or Parquet table; raise DataError when it or a column is missing."""
    path = Path(path)
    if not path.exists():
        raise DataError(f"There is no file {path}. Run the rule that writes it.")
    if path.suffix == ".parquet":
        table = _read_parquet(path)
    else:
        table = pd.read_csv(path, dtype=_TEXT_COLUMNS)
    if missing := [column for column in columns if column not in table]:
        raise DataError(
            f"Columns are missing in {path}: {', '.join(missing)} (it has "
            f"{', '.join(table.columns)}). Delete it and rerun the rule that writes it."
        )
    return table


# What pyarrow and pandas raise for a file with flipped bits.
_DAMAGED = (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, MemoryError)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        check_footer(path)
        return pd.read_parquet(path, page_checksum_verification=True)
    except _DAMAGED as error:
        raise DataError(
            f"{path} is corrupt ({error}). Delete it and rerun the rule that writes it."
        ) from error
