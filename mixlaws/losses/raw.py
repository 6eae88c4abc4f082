"""Tables as somebody wrote them, each row with its place in the file, before any check."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from mixlaws.errors import DataError
from mixlaws.losses.shares import digits_written
from mixlaws.text.parquet import check_rows

NUM_LISTED = 5
_ENCODING = "utf-8-sig"
"""A table saved by Excel begins with a byte order mark."""


@dataclass(eq=False)
class Raw:
    """Losses in long form and mixtures, as written; the index of both is the place of a row."""

    losses: pd.DataFrame
    """Some of the columns of `mixlaws.losses.checks.COLUMNS`."""
    losses_name: str
    mixtures: pd.DataFrame
    """id, kind where stated, and the domains."""
    mixtures_name: str
    domains: list[str]
    digits: int
    """Digits after the point that the shares were written with."""
    problems: list[str] = field(default_factory=list)
    """What is wrong already while reading."""


def places(index: pd.Index) -> str:
    """Return the places of rows in words: lines 3, 7 and 9; the index's name is the word."""
    word = str(index.name or "line")
    found = index.unique()
    listed = [f"{int(place):,}" for place in found[:NUM_LISTED]]
    if len(found) == 1:
        return f"{word} {listed[0]}"
    rest = f" and {len(found) - NUM_LISTED:,} more" if len(found) > NUM_LISTED else ""
    if rest:
        return f"{word}s {', '.join(listed)}{rest}"
    return f"{word}s {', '.join(listed[:-1])} and {listed[-1]}"


def read_columns(path: Path, is_number: Callable[[str], bool]) -> tuple[pd.DataFrame, list[str]]:
    """Read a CSV or Parquet table of up to millions of rows; return (table, problems).

    The index holds the line in the file (a CSV's header is line 1) or, for Parquet, the row from 1.
    Columns for which `is_number` is true are floats, empty cells NaN; all others are categories of
    text. Raises DataError if the file is missing or is no such table.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}. Correct its path")
    if path.suffix == ".parquet":
        return _of_parquet(path, is_number)
    names = _header(path)
    kinds = {name: pa.float64() if is_number(name) else _TEXT for name in names}
    try:
        table = _read_csv(path, kinds)
    except pa.ArrowInvalid:
        return _with_bad_cells(path, names, is_number)
    return _numbered(table.to_pandas(), first=2), []


_TEXT = pa.dictionary(pa.int32(), pa.string())


def _read_csv(path: Path, kinds: dict[str, pa.DataType]) -> pa.Table:
    options = pa_csv.ConvertOptions(column_types=kinds, strings_can_be_null=True)
    return pa_csv.read_csv(path, convert_options=options)


def _header(path: Path) -> list[str]:
    """Return the column names of a CSV; raise DataError if there are none or one occurs twice."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding=_ENCODING, newline="") as file:
            names = next(csv.reader(file), [])
    except (UnicodeDecodeError, OSError) as error:
        raise DataError(f"{path} is not a CSV table: {error}. Save it as CSV in UTF-8") from error
    if not names:
        raise DataError(f"{path} is empty. Write a header line and one line per row")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"{path} has several columns named {', '.join(twice)}. Rename them")
    return names


def _with_bad_cells(
    path: Path, names: list[str], is_number: Callable[[str], bool]
) -> tuple[pd.DataFrame, list[str]]:
    """Read a table in which some number is none; such cells become NaN and problems."""
    try:
        text = _numbered(_read_csv(path, dict.fromkeys(names, pa.string())).to_pandas(), first=2)
    except pa.ArrowInvalid as error:
        raise DataError(f"{path} is not a CSV table: {error}. Correct the file") from error
    problems: list[str] = []
    columns: dict[str, pd.Series] = {}
    for name in names:
        if not is_number(name):
            columns[name] = text[name].astype("category")
            continue
        columns[name] = pd.to_numeric(text[name], errors="coerce").astype(float)
        written = text[name].fillna("").str.lower()
        bad = columns[name].isna() & ~written.isin(["", "nan", "null", "none", "n/a", "na"])
        if bad.any():
            problems.append(
                f"{path.name}: {name} must be a number, found {text.loc[bad, name].iloc[0]!r} "
                f"({places(text.index[bad])})"
            )
    return pd.DataFrame(columns), problems


# What pyarrow raises for a damaged file.
_DAMAGED = (OSError, ValueError, LookupError, TypeError, OverflowError, pa.ArrowException)


def _of_parquet(path: Path, is_number: Callable[[str], bool]) -> tuple[pd.DataFrame, list[str]]:
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            check_rows(file.metadata)
            table = _numbered(file.read().to_pandas(ignore_metadata=True), first=1)
    except _DAMAGED as error:
        raise DataError(f"{path} is not a Parquet table: {error}. Write it again") from error
    problems = []
    for name in map(str, table):
        try:
            if is_number(name):
                table[name] = table[name].astype(float)
            else:
                table[name] = table[name].astype("string").astype("category")
        except (ValueError, TypeError) as error:
            problems.append(f"{path.name}: {name} must be a number ({error})")
    return table, problems


def _numbered(table: pd.DataFrame, *, first: int) -> pd.DataFrame:
    """Name each row by its line in a CSV, whose header is line 1, or by its row in Parquet."""
    word = "line" if first == 2 else "row"
    return table.set_axis(pd.RangeIndex(first, first + len(table), name=word), axis=0)


ID_COLUMNS = ("id", "mixture", "run")
_NOT_DOMAINS = ("kind",)


def read_shares(
    path: Path, *, id_columns: Iterable[str] = ID_COLUMNS, leave_out: Iterable[str] = ()
) -> tuple[pd.DataFrame, list[str], int, list[str]]:
    """Read a table of mixtures: return (table, domains, digits, problems).

    The first of `id_columns` that the table has becomes `id`; `kind` is kept, `leave_out` is not;
    every other column is a domain. Raises DataError if there is no id.
    """
    table, _ = read_columns(path, lambda _: False)
    name = next((each for each in id_columns if each in table), None)
    if name is None:
        raise DataError(
            f"{path} has no column {' or '.join(id_columns)}: it has "
            f"{', '.join(map(str, table))}. Name the column with the mixtures' names id"
        )
    others = (name, *_NOT_DOMAINS, *leave_out)
    domains = [each for each in map(str, table) if each not in others]
    columns: dict[str, pd.Series] = {"id": table[name].astype(str)}
    problems: list[str] = []
    if "kind" in table:
        columns["kind"] = table["kind"].astype(str)
    for domain in domains:
        columns[domain] = table[domain].astype(str).map(_number).astype(float)
        if (bad := columns[domain].isna()).any():
            problems.append(
                f"{path.name}: the share of {domain} is missing or no number "
                f"({places(table.index[bad])})"
            )
    return pd.DataFrame(columns), domains, digits_written(table[domains]), problems


def _number(text: str) -> float:
    """Return a number to its last bit, NaN if the text is none."""
    try:
        return float(text)
    except ValueError:
        return float("nan")
