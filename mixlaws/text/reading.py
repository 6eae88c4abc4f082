"""Reading: from a part of any source to a Parquet file of documents and a record of what was read.

The documents of a domain do not depend on other domains. Duplicates are found later, over all
domains at once (mixlaws.text.duplicates).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mixlaws.errors import located
from mixlaws.files import atomic_path
from mixlaws.text.checks import check_splits
from mixlaws.text.cleaning import Cleaning
from mixlaws.text.documents import SPLITS, DocumentWriter, document_id, split_of
from mixlaws.text.minhash import signatures
from mixlaws.text.parts import Part
from mixlaws.text.sources import make_text_source
from mixlaws.text.sources.source import Reading, SourceText

# Documents and bytes of text per row group, and per call of the signature function, to bound the
# memory. A larger document is a row group by itself.
_BATCH_DOCUMENTS = 256
_BATCH_BYTES = 2**22


def read_part(
    domain: str,
    options: Mapping[str, Any],
    part: Part,
    *,
    validation_share: float,
    output: str | Path,
) -> None:
    """Read one part of a domain and write its documents (mixlaws.text.documents.SCHEMA).

    `options` are the domain's in the config. `validation_share` is the share of its documents that
    goes to validation; 1 for a domain that is never trained on.

    Exact repetitions within the part are dropped here; the first one is kept. The record inside the
    file says what was read, kept and dropped per split and why; `listing` names what was read,
    `choice` the options that decided. `text_bytes_before_cap` is the text of the whole part: exact
    if it was read to its end, extrapolated from what was read if a cap stopped it, or null where
    the source does not know its size; `sample` says in words what a cap left.
    Memory: about 0.2 GiB, 100 bytes per document of the part, and 40 times the largest document.

    Raises ConfigError or DataError, naming the domain, when the options are wrong, the source
    cannot be read, or the domain is a single part and a split of it is empty.
    """
    started = time.perf_counter()
    source = make_text_source(domain, options)
    tally = _Tally(validation_share, source.cleaning)
    with (
        located(f"domain {domain!r}"),
        atomic_path(output) as temporary,
        DocumentWriter(temporary) as writer,
    ):
        reading = source.open(part)
        for rows in _batches(tally.keep(reading.texts, source.limit)):
            writer.write(_signed(rows))
        record = {
            "domain": domain,
            "part": part.index,
            "listing": reading.listing,
            "choice": source.choice() | {"validation_share": validation_share},
            **tally.summary(reading),
        }
        if part.count == 1:
            check_splits([record])
        writer.finish(record)
    print(f"{domain}: {len(tally.ids):,} documents in {time.perf_counter() - started:.1f} s")


def _signed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with the signatures of their texts."""
    pairs = zip(rows, signatures([row["text"] for row in rows]), strict=True)
    return [row | {"signature": signature} for row, signature in pairs]


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    num_bytes = 0
    for row in rows:
        if batch and (
            len(batch) == _BATCH_DOCUMENTS or num_bytes + row["num_bytes"] > _BATCH_BYTES
        ):
            yield batch
            batch, num_bytes = [], 0
        batch.append(row)
        num_bytes += row["num_bytes"]
    if batch:
        yield batch


@dataclass
class _Tally:
    """Counts what is read, kept and dropped."""

    validation_share: float
    cleaning: Cleaning
    ids: set[bytes] = field(default_factory=set)
    """The first 16 bytes of each id that was kept: enough to tell ids apart, in half the memory."""
    num_read: Counter[str] = field(default_factory=Counter)
    num_bytes: Counter[str] = field(default_factory=Counter)
    dropped: dict[str, Counter[str]] = field(
        default_factory=lambda: {split: Counter() for split in SPLITS}
    )
    cleaned: dict[str, Counter[str]] = field(
        default_factory=lambda: {split: Counter() for split in SPLITS}
    )
    units: float = 0.0
    is_capped: bool = False

    def keep(self, texts: Iterator[SourceText], max_bytes: int | None) -> Iterator[dict[str, Any]]:
        """Yield a row for each new document, until there are `max_bytes` bytes of text."""
        for text in texts:
            self.units += text.units
            row = self._row(text)
            if row is not None:
                yield row
            if max_bytes is not None and self.num_bytes.total() >= max_bytes:
                self.is_capped = next(texts, None) is not None
                return

    def _row(self, text: SourceText) -> dict[str, Any] | None:
        cleaned, steps = self.cleaning.clean(text.text)
        identity = document_id(cleaned)
        split = split_of(identity, self.validation_share)
        self.num_read[split] += 1
        self.cleaned[split].update(steps)
        reason = text.dropped or self._reason(identity, cleaned)
        if reason:
            self.dropped[split][reason] += 1
            return None
        self.ids.add(_key(identity))
        num_bytes = len(cleaned.encode())
        self.num_bytes[split] += num_bytes
        return {"id": identity, "split": split, "num_bytes": num_bytes, "text": cleaned}

    def _reason(self, identity: str, text: str) -> str:
        if not text.strip():
            return "empty"
        if reason := self.cleaning.reason(text):
            return reason
        return "exact duplicate" if _key(identity) in self.ids else ""

    def summary(self, reading: Reading) -> dict[str, Any]:
        splits = {
            split: {
                "num_documents_read": self.num_read[split],
                "num_documents": self.num_read[split] - self.dropped[split].total(),
                "num_bytes": self.num_bytes[split],
                "dropped": dict(sorted(self.dropped[split].items())),
                "cleaned": dict(sorted(self.cleaned[split].items())),
            }
            for split in SPLITS
        }
        return {
            "splits": splits,
            "sample": reading.sample(self.units) if self.is_capped else "",
            "text_bytes_before_cap": self._bytes_before_cap(reading.total_units),
            "text_bytes_before_cap_is_estimated": self.is_capped,
        }

    def _bytes_before_cap(self, total_units: float | None) -> int | None:
        num_bytes = self.num_bytes.total()
        if not self.is_capped:
            return num_bytes
        return None if total_units is None else round(num_bytes * total_units / self.units)


def _key(identity: str) -> bytes:
    return bytes.fromhex(identity[:32])
