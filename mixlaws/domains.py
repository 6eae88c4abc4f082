"""Domains: from any source of text to one Parquet file of documents and the record of its reading.

A domain's documents stay as they are when another domain changes: duplicates between documents are
found later, over all domains at once (mixlaws.duplicates).
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

from mixlaws.documents import (
    SPLITS,
    DocumentWriter,
    Reading,
    SourceText,
    document_id,
    split_of,
)
from mixlaws.duplicates import signatures
from mixlaws.embedded import HARVESTS, environment_roots, open_harvest
from mixlaws.errors import ConfigError, DataError
from mixlaws.runtime import atomic_path, write_json
from mixlaws.sources import FilesSource, HuggingFaceSource

# Documents per row group and per call of the signature function: bounds the memory.
_BATCH_DOCUMENTS = 256


class Source(Protocol):
    """Anything that can be opened for reading text."""

    def open(self) -> Reading:
        """Open the source, from its start."""


@dataclass(frozen=True)
class EmbeddedSource:
    """Text of the running Python environment."""

    harvest: str
    """A key of mixlaws.embedded.HARVESTS."""

    def open(self) -> Reading:
        """Open the harvest; units are bytes of source files."""
        return open_harvest(self.harvest, environment_roots())


@dataclass(frozen=True)
class DomainSource:
    """A domain of the config: its source and how its documents are split."""

    name: str
    source: Source
    validation_share: float
    """Share of the documents that go to validation; 1 for a domain that is never trained on."""
    max_bytes: int | None = None
    """Reading stops at the document that passes this many bytes of text."""


_SOURCES: dict[str, type] = {
    "embedded": EmbeddedSource,
    "files": FilesSource,
    "huggingface": HuggingFaceSource,
}


def domain_source(
    name: str, options: Mapping[str, Any], *, validation_share: float
) -> DomainSource:
    """Return one domain of the config.

    Raises ConfigError on an unknown source or harvest, a key that the source does not take, or one
    that it needs and does not get.
    """
    given = {key: value for key, value in options.items() if value is not None}
    kind = given.pop("source", None)
    max_bytes = given.pop("max_bytes", None)
    given.pop("available_tokens", None)
    if kind not in _SOURCES:
        raise ConfigError(
            f"source of domain {name!r} must be one of {', '.join(_SOURCES)}, got {kind!r}: "
            "correct it in the config"
        )
    if kind == "files" and "paths" in given:
        paths = given["paths"]
        given["paths"] = (paths,) if isinstance(paths, str) else tuple(paths)
    if "data_files" in given:
        given["data_files"] = tuple(given["data_files"])
    try:
        source = _SOURCES[kind](**given)
    except TypeError:
        raise ConfigError(_wrong_keys(name, kind, given)) from None
    if isinstance(source, EmbeddedSource) and source.harvest not in HARVESTS:
        raise ConfigError(
            f"harvest of domain {name!r} must be one of {', '.join(HARVESTS)}, got "
            f"{source.harvest!r}: correct it in the config"
        )
    return DomainSource(name, source, validation_share, max_bytes)


def _wrong_keys(name: str, kind: str, given: Mapping[str, Any]) -> str:
    keys = [option.name for option in fields(_SOURCES[kind])]
    return (
        f"domain {name!r} with source {kind!r} must have {keys[0]!r} and may have "
        f"{', '.join(map(repr, [*keys[1:], 'max_bytes']))}, got "
        f"{', '.join(map(repr, given)) or 'none of them'}: correct it in the config"
    )


def write_documents(domain: DomainSource, *, documents: str | Path, record: str | Path) -> None:
    """Read one domain and write its documents (mixlaws.documents.SCHEMA) and a JSON record.

    Exact repetitions are dropped here, the first one is kept. The record says what was read,
    kept and dropped per split and why; `sha256` digests the ids in order, `source_digest` the
    list of files; `text_bytes_before_cap` is what the whole source would give: exact when it was
    read to its end, else extrapolated from the part that was read, or null where the source does
    not know its size.

    Raises DataError, naming the domain, when the source cannot be read or a split stays empty.
    """
    started = time.perf_counter()
    try:
        with atomic_path(documents) as temporary:
            found = _copy(domain, temporary)
    except DataError as error:
        raise DataError(f"domain {domain.name!r}: {error}") from error
    write_json(found, record)
    kept = sum(split["num_documents"] for split in found["splits"].values())
    print(f"{domain.name}: {kept:,} documents in {time.perf_counter() - started:.1f} s")


def _copy(domain: DomainSource, path: Path) -> dict[str, Any]:
    reading = domain.source.open()
    tally = _Tally(domain.validation_share)
    writer = DocumentWriter(path)
    for rows in _batches(tally.keep(reading.texts, domain.max_bytes)):
        texts = [row["text"] for row in rows]
        pairs = zip(rows, signatures(texts), strict=True)
        writer.write([row | {"signature": signature} for row, signature in pairs])
    record = {"domain": domain.name, "source_digest": reading.digest} | tally.summary(reading)
    _check_splits(record, domain.validation_share)
    writer.close(record)
    return record


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH_DOCUMENTS:
            yield batch
            batch = []
    if batch:
        yield batch


@dataclass
class _Tally:
    """Counts what is read, kept and dropped, while it is read."""

    validation_share: float
    ids: dict[str, None] = field(default_factory=dict)
    num_read: Counter[str] = field(default_factory=Counter)
    num_bytes: Counter[str] = field(default_factory=Counter)
    dropped: dict[str, Counter[str]] = field(
        default_factory=lambda: {split: Counter() for split in SPLITS}
    )
    units: float = 0.0
    is_capped: bool = False

    def keep(self, texts: Iterator[SourceText], max_bytes: int | None) -> Iterator[dict[str, Any]]:
        """Yield a row for each text that is a new document, until there are enough bytes."""
        for text in texts:
            self.units += text.units
            row = self._row(text)
            if row is not None:
                yield row
            if max_bytes is not None and self.num_bytes.total() >= max_bytes:
                self.is_capped = next(texts, None) is not None
                return

    def _row(self, text: SourceText) -> dict[str, Any] | None:
        identity = document_id(text.text)
        split = split_of(identity, self.validation_share)
        self.num_read[split] += 1
        reason = text.dropped or self._reason(identity, text.text)
        if reason:
            self.dropped[split][reason] += 1
            return None
        self.ids[identity] = None
        num_bytes = len(text.text.encode())
        self.num_bytes[split] += num_bytes
        return {"id": identity, "split": split, "num_bytes": num_bytes, "text": text.text}

    def _reason(self, identity: str, text: str) -> str:
        if not text.strip():
            return "empty"
        return "exact duplicate" if identity in self.ids else ""

    def summary(self, reading: Reading) -> dict[str, Any]:
        splits = {
            split: {
                "num_documents_read": self.num_read[split],
                "num_documents": self.num_read[split] - self.dropped[split].total(),
                "num_bytes": self.num_bytes[split],
                "dropped": dict(sorted(self.dropped[split].items())),
            }
            for split in SPLITS
        }
        return {
            "splits": splits,
            "sha256": hashlib.sha256("\n".join(self.ids).encode()).hexdigest(),
            "text_bytes_before_cap": self._bytes_before_cap(reading.total_units),
            "text_bytes_before_cap_is_estimated": self.is_capped,
        }

    def _bytes_before_cap(self, total_units: float | None) -> int | None:
        num_bytes = self.num_bytes.total()
        if not self.is_capped:
            return num_bytes
        return None if total_units is None else round(num_bytes * total_units / self.units)


def _check_splits(record: Mapping[str, Any], validation_share: float) -> None:
    counts = {split: record["splits"][split]["num_documents"] for split in SPLITS}
    total = sum(counts.values())
    if total == 0:
        dropped = {split: record["splits"][split]["dropped"] for split in SPLITS}
        raise DataError(
            f"the source must hold at least one document, but holds none (dropped: {dropped}): "
            "check the source and its text_field"
        )
    empty = [split for split in SPLITS if counts[split] == 0]
    if validation_share < 1 and empty:
        raise DataError(
            f"both splits must hold documents, but the {empty[0]} split of {total:,} documents "
            f"came out empty at validation.share {validation_share}: give the domain more "
            "documents or change the share"
        )
