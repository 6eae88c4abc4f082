"""Text that the user names: local files, or a Hugging Face dataset."""

from __future__ import annotations

import glob
import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mixlaws.documents import Reading, SourceText
from mixlaws.errors import ConfigError, DataError


@dataclass(frozen=True)
class FilesSource:
    """Local .txt (one document each), .jsonl, .jsonl.gz and .parquet files."""

    paths: tuple[str, ...]
    """Paths or glob patterns; ** goes into subfolders."""
    text_field: str = "text"

    def open(self) -> Reading:
        """Open all matching files, in hash order of their names; units are bytes of files.

        The order is a fair sample when a cap stops the reading early, and the same everywhere.
        """
        paths = sorted({path for pattern in self.paths for path in _match(pattern)}, key=_order)
        sizes = [(path.name, path.stat().st_size) for path in paths]
        return Reading(
            texts=(text for path in paths for text in self._read(path)),
            total_units=sum(size for _, size in sizes),
            digest=_digest(["files", self.text_field, sizes]),
        )

    def _read(self, path: Path) -> Iterator[SourceText]:
        read = _READERS[_suffix(path)]
        try:
            yield from read(path, self.text_field)
        except UnicodeDecodeError as error:
            raise DataError(_not_utf8(str(path), error)) from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(
                f"{path} must be a whole gzip file, but {error}: copy it again"
            ) from error
        except (OSError, pa.ArrowInvalid) as error:
            raise DataError(
                f"{path} must be readable, but {error}: check the file and its permissions"
            ) from error


@dataclass(frozen=True)
class HuggingFaceSource:
    """A dataset that the `datasets` library loads: a name on the hub or a local folder."""

    dataset: str
    subset: str | None = None
    split: str = "train"
    text_field: str = "text"
    streaming: bool = False
    data_files: tuple[str, ...] = ()
    """Paths, patterns or URLs for a dataset that is a format, such as json."""
    where: Mapping[str, Any] = field(default_factory=dict)
    """Rows are kept where these fields, dotted into records, have these values."""

    def open(self) -> Reading:
        """Open the dataset; units are rows, unknown when it streams and declares no size."""
        dataset = self._load()
        if self.text_field not in (dataset.column_names or [self.text_field]):
            raise DataError(_missing(self.text_field, dataset.column_names, self.dataset))
        splits = dataset.info.splits or {}
        declared = splits[self.split].num_examples if self.split in splits else 0
        num_rows = declared if self.streaming else dataset.num_rows
        name = [self.dataset, self.subset, self.split, str(dataset.info.version)]
        return Reading(
            texts=self._rows(dataset),
            total_units=num_rows or None,
            digest=_digest(["huggingface", name, self.text_field, num_rows, *self._selected()]),
        )

    def _selected(self) -> list[Any]:
        """Return what narrows the dataset down, for its digest; nothing if nothing does."""
        return [list(self.data_files), dict(self.where)] if self.data_files or self.where else []

    def _load(self) -> Any:
        # Imported here: it takes seconds and pandas, which no other source needs.
        import datasets

        with self._explained():
            return datasets.load_dataset(
                self.dataset,
                self.subset,
                split=self.split,
                streaming=self.streaming,
                data_files=[expand_variables(path) for path in self.data_files] or None,
            )

    def _rows(self, dataset: Any) -> Iterator[SourceText]:
        with self._explained():
            for number, row in enumerate(dataset, start=1):
                place = f"{self.dataset}, row {number:,}"
                if any(_value(row, key) != value for key, value in self.where.items()):
                    yield SourceText("", 1, "not selected")
                    continue
                yield SourceText(_text(row, self.text_field, place), 1)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what the library raises into an error that names the dataset."""
        import datasets

        try:
            yield
        except DataError:
            raise
        except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
            raise DataError(
                f"dataset {self.dataset!r} (subset {self.subset!r}, split {self.split!r}) must be "
                f"readable, a folder or a name that can be reached or is cached, but {error}: "
                "check the spelling, the files and the network"
            ) from error


def expand_variables(path: str) -> str:
    """Return a path with $NAME replaced by the environment's value: no config names a machine."""
    return os.path.expandvars(path)


def _value(row: Mapping[str, Any], key: str) -> Any:
    """Return the field of a row that a dotted key names, None where there is none."""
    value: Any = row
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _match(pattern: str) -> list[Path]:
    # Path.glob takes no absolute pattern.
    names = glob.glob(expand_variables(pattern), recursive=True)  # noqa: PTH207
    found = [path for path in map(Path, names) if path.is_file()]
    if not found:
        raise DataError(
            f"paths must match at least one file, but {pattern!r} matches none: check the "
            f"spelling; relative paths start at {Path.cwd()}"
        )
    for path in found:
        if _suffix(path) not in _READERS:
            raise ConfigError(
                f"paths must match files that end in {', '.join(_READERS)}, but {pattern!r} "
                f"matches {path}: narrow the pattern"
            )
    return found


def _suffix(path: Path) -> str:
    return next((suffix for suffix in _READERS if path.name.endswith(suffix)), path.suffix)


def _order(path: Path) -> tuple[str, str]:
    """Sort by a hash of the file's name alone: its folder differs between machines."""
    return _digest(path.name), path.as_posix()


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _read_text(path: Path, _text_field: str) -> Iterator[SourceText]:
    yield SourceText(path.read_text(encoding="utf-8"), path.stat().st_size)


def _read_lines(path: Path, text_field: str) -> Iterator[SourceText]:
    """Read JSON lines; the units of a line are the bytes of the file that reading it took."""
    with path.open("rb") as file:
        lines = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
        before = 0
        for number, line in enumerate(lines, start=1):
            now = file.tell()
            units, before = now - before, now
            if line.strip():
                place = f"{path}, line {number:,}"
                yield SourceText(_text(_parse(line, place), text_field, place), units)


def _parse(line: bytes, place: str) -> Any:
    try:
        return json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise DataError(_not_utf8(place, error)) from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"{place} must be one JSON object, but {error.msg} at column {error.colno}: "
            "repair the line or remove it"
        ) from error


def _read_parquet(path: Path, text_field: str) -> Iterator[SourceText]:
    file = pq.ParquetFile(path)
    if text_field not in file.schema_arrow.names:
        raise DataError(_missing(text_field, file.schema_arrow.names, str(path)))
    units = path.stat().st_size / max(1, file.metadata.num_rows)
    number = 0
    for batch in file.iter_batches(columns=[text_field], batch_size=256):
        for row in batch.to_pylist():
            number += 1
            yield SourceText(_text(row, text_field, f"{path}, row {number:,}"), units)


def _text(row: Any, text_field: str, place: str) -> str:
    """Return the text of one record; null is no text."""
    if not isinstance(row, Mapping):
        raise DataError(f"{place} must be a JSON object, but is {json.dumps(row)[:80]}")
    if text_field not in row:
        raise DataError(_missing(text_field, list(row), place))
    text = row[text_field]
    if not isinstance(text, str | None):
        raise DataError(
            f"{place}: field {text_field!r} must be text, but is a {type(text).__name__}: "
            "name another field as text_field"
        )
    return text or ""


def _not_utf8(place: str, error: UnicodeDecodeError) -> str:
    return (
        f"{place} must be UTF-8, but its byte {error.start + 1:,} is "
        f"{error.object[error.start]:#04x}: convert the file, for example with iconv"
    )


def _missing(text_field: str, fields: list[str], place: str) -> str:
    return (
        f"{place} must have the field {text_field!r}, but has {', '.join(sorted(fields))}: "
        "set text_field to one of them"
    )


_READERS: dict[str, Callable[[Path, str], Iterator[SourceText]]] = {
    ".txt": _read_text,
    ".jsonl": _read_lines,
    ".jsonl.gz": _read_lines,
    ".parquet": _read_parquet,
}
