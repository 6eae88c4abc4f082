"""Exact and near duplicates among the documents of all domains and splits.

Near means a Jaccard similarity of word shingles of at least 0.7, estimated by MinHash
(Broder 1997) and searched by banding of the signatures (locality-sensitive hashing).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rensa import RMinHash

from mixlaws.documents import NUM_HASHES, SPLITS, read_columns
from mixlaws.runtime import atomic_path

SIMILARITY = 0.7
WORDS_PER_SHINGLE = 5
# 32 bands of 4 values find a pair of similarity 0.7 with probability 1 - (1 - 0.7^4)^32 = 0.9998.
NUM_BANDS = 32
_SEED = 0

SCHEMA = pa.schema(
    [
        pa.field("domain", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("kept_domain", pa.string(), nullable=False),
        pa.field("kept_split", pa.string(), nullable=False),
        pa.field("kept_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("similarity", pa.float64(), nullable=False),
    ]
)


def signatures(texts: Sequence[str]) -> list[bytes]:
    """Return the MinHash signature of each text: NUM_HASHES little-endian 32-bit values."""
    shingles = [_shingles(text) for text in texts]
    rows = RMinHash.digest_matrix_from_token_sets(shingles, NUM_HASHES, _SEED).to_rows()
    return [np.asarray(row, dtype="<u4").tobytes() for row in rows]


def _shingles(text: str) -> list[str]:
    words = text.split()
    starts = range(max(1, len(words) - WORDS_PER_SHINGLE + 1))
    return sorted({" ".join(words[start : start + WORDS_PER_SHINGLE]) for start in starts})


@dataclass(frozen=True)
class _Document:
    domain: str
    split: str
    id: str
    signature: np.ndarray
    """(NUM_HASHES,) unsigned 32-bit."""

    def bands(self) -> Iterator[tuple[int, bytes]]:
        """Yield the keys under which similar documents meet."""
        for number, band in enumerate(self.signature.reshape(NUM_BANDS, -1)):
            yield number, band.tobytes()


class _Index:
    """The documents kept so far, found again by what resembles them."""

    def __init__(self) -> None:
        self._documents: list[_Document] = []
        self._places: dict[tuple[int, bytes], list[int]] = {}

    def add(self, document: _Document) -> None:
        for band in document.bands():
            self._places.setdefault(band, []).append(len(self._documents))
        self._documents.append(document)

    def nearest(self, document: _Document) -> tuple[_Document, float] | None:
        """Return the most similar kept document of at least SIMILARITY; the first among equals."""
        places = {place for band in document.bands() for place in self._places.get(band, ())}
        best: tuple[_Document, float] | None = None
        for place in sorted(places):
            kept = self._documents[place]
            similarity = float(np.mean(kept.signature == document.signature))
            if similarity >= SIMILARITY and (best is None or similarity > best[1]):
                best = kept, similarity
        return best


def find_duplicates(documents: Mapping[str, str | Path], *, output: str | Path) -> None:
    """Write the table of documents to drop, each with the document that is kept in its place.

    `documents` maps each domain to its documents file, in config order. A validation document wins
    over a training one, so that no training document repeats validation text and validation sets
    stay as they are; then the earlier domain wins, then the smaller id. Memory: about 2 KB a
    document. Columns of the Parquet file: see SCHEMA; kind is exact or near.
    """
    index = _Index()
    rows = []
    for document in _by_priority(documents):
        found = index.nearest(document)
        if found is None:
            index.add(document)
        else:
            rows.append(_row(document, *found))
    with atomic_path(output) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), temporary)


def _by_priority(documents: Mapping[str, str | Path]) -> Iterator[_Document]:
    """Yield all documents, the ones to keep first: a validation split before any training one."""
    tables = {
        domain: read_columns(path, "split", "id", "signature").sort_by("id")
        for domain, path in documents.items()
    }
    for split in reversed(SPLITS):
        for domain, table in tables.items():
            for row in table.filter(pa.compute.field("split") == split).to_pylist():
                signature = np.frombuffer(row["signature"], dtype="<u4")
                yield _Document(domain, split, row["id"], signature)


def _row(document: _Document, kept: _Document, similarity: float) -> dict[str, str | float]:
    return {
        "domain": document.domain,
        "split": document.split,
        "id": document.id,
        "kept_domain": kept.domain,
        "kept_split": kept.split,
        "kept_id": kept.id,
        "kind": "exact" if document.id == kept.id else "near",
        "similarity": similarity,
    }


def dropped_ids(duplicates: str | Path, domain: str, split: str) -> dict[str, str]:
    """Return the ids to drop from one split of one domain, each with its kind: exact or near."""
    filters = [("domain", "==", domain), ("split", "==", split)]
    table = pq.read_table(duplicates, filters=filters)
    return dict(zip(table["id"].to_pylist(), table["kind"].to_pylist(), strict=True))
