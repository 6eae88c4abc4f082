"""Tokenization: documents to shards of token ids, and shards to the token files of a domain."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tokenizers import Tokenizer

from mixlaws.errors import DataError, located
from mixlaws.files import atomic_path, file_sha256, write_json
from mixlaws.provenance import TEXT_VERSION
from mixlaws.text.documents import SPLITS, read_record, read_rows
from mixlaws.text.duplicates import dropped_ids, near_mode
from mixlaws.text.parquet import open_parquet, read_group, read_key
from mixlaws.text.parts import Shard
from mixlaws.text.sources.source import BYTES_PER_CAPPED_TOKEN
from mixlaws.text.tokens import Manifest, place_tokens, read_manifest

# One row a document; a row group holds documents of one split only, in file order.
SCHEMA = pa.schema(
    [
        pa.field("num_bytes", pa.int64(), nullable=False),
        pa.field("ids", pa.binary(), nullable=False),
    ]
)
_RECORD_KEY = b"mixlaws.shard"


def tokenize_shard(
    documents: Sequence[str | Path],
    shard: Shard,
    duplicates: str | Path,
    tokenizer: str | Path,
    *,
    output: str | Path,
    num_threads: int = 1,
) -> None:
    """Write the token ids of both splits of one shard, document by document.

    `documents` are the files of the shard's parts. Ids are little-endian uint16, or uint32 for a
    vocabulary above 65,536. Text that spells a special token is encoded as ordinary text.
    Memory: about 0.3 GiB, and 100 times the largest document.
    """
    # The tokenizers library reads this when it first encodes.
    os.environ["RAYON_NUM_THREADS"] = str(num_threads)
    encoder = _Encoder(tokenizer)
    domain = read_record(documents[0])["domain"]
    tally = _Tally()
    with (
        located(f"domain {domain!r}"),
        atomic_path(output) as temporary,
        _writer(temporary) as writer,
    ):
        for part, path in zip(shard.parts, documents, strict=True):
            dropped = dropped_ids(duplicates, domain, part)
            columns = ("id", "split", "num_bytes", "text")
            pieces = {"piece": shard.piece, "num_pieces": shard.num_pieces}
            for rows in read_rows(path, *columns, **pieces):
                for split, kept in tally.kept(rows, dropped):
                    writer.write_table(encoder.table(kept))
                    tally.groups.append(split)
        record = {
            "domain": domain,
            "near": near_mode(duplicates),
            "parts": [read_record(path) for path in documents if shard.piece == 0],
            "tokenizer_sha256": file_sha256(tokenizer),
            "vocabulary_size": encoder.vocabulary_size,
            "end_of_document_id": encoder.end_of_document_id,
            "dtype": encoder.dtype.name,
            **asdict(tally),
        }
        writer.add_key_value_metadata({_RECORD_KEY: json.dumps(record, sort_keys=True)})


def _writer(path: Path) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        path, SCHEMA, compression="none", use_dictionary=False, write_page_checksum=True
    )


@dataclass
class _Tally:
    """Counts what a shard keeps and drops."""

    groups: list[str] = field(default_factory=list)
    """The split of each row group."""
    kept_bytes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    dropped: dict[str, dict[str, int]] = field(
        default_factory=lambda: {split: {"exact": 0, "near": 0} for split in SPLITS}
    )

    def kept(
        self, rows: Sequence[Mapping[str, Any]], dropped: Mapping[str, str]
    ) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
        """Yield the documents of each split without duplicates, where any are left."""
        found: dict[str, list[Mapping[str, Any]]] = {split: [] for split in SPLITS}
        for row in rows:
            kind = dropped.get(row["id"])
            if kind:
                self.dropped[row["split"]][kind] += 1
            else:
                self.kept_bytes[row["split"]] += row["num_bytes"]
                found[row["split"]].append(row)
        yield from ((split, kept) for split, kept in found.items() if kept)


class _Encoder:
    """Encodes documents with a tokenizer."""

    def __init__(self, path: str | Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.encode_special_tokens = True
        self.vocabulary_size = max(self._tokenizer.get_vocab().values()) + 1
        self.end_of_document_id: int = self._tokenizer.encode("").ids[-1]
        self.dtype = np.dtype(np.uint16 if self.vocabulary_size <= 2**16 else np.uint32)

    def table(self, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
        """Return rows of SCHEMA for documents."""
        encodings = self._tokenizer.encode_batch_fast([row["text"] for row in rows])
        ids = [self._packed(encoding.ids) for encoding in encodings]
        return pa.table({"num_bytes": [row["num_bytes"] for row in rows], "ids": ids}, SCHEMA)

    def _packed(self, ids: Sequence[int]) -> bytes:
        """Return ids as little-endian bytes; struct packs a list in half the time of numpy."""
        return struct.pack(f"<{len(ids)}{self.dtype.char}", *ids)


def join_shards(
    shards: Sequence[str | Path], *, split: str, tokens: str | Path, manifest: str | Path
) -> None:
    """Write the token file of one split of a domain, and its manifest, from all its shards.

    The bytes depend on the text and its order, not on parts and shards. With max_tokens the first
    documents are kept, whole; each split has its share of the tokens. Raises DataError when no
    document is left, or when reading stopped before there were max_tokens. Memory: about 0.2 GiB.
    """
    joined = _Joined([read_key(path, _RECORD_KEY) for path in shards], split)
    with located(f"domain {joined.domain!r}"):
        with atomic_path(tokens) as temporary:
            for path, record in zip(shards, joined.records, strict=True):
                _append(path, record, joined, temporary)
            joined.check()
        write_json(asdict(joined.manifest()), manifest)


def _append(path: str | Path, record: Mapping[str, Any], joined: _Joined, output: Path) -> None:
    """Append the documents of one shard to a token file, until max_tokens is reached."""
    with open_parquet(path) as file, output.open("ab") as tokens:
        for group, split in enumerate(record["groups"]):
            if split == joined.split:
                table = read_group(file, path, group, SCHEMA.names)
                lengths = pc.binary_length(table["ids"]).to_numpy() // joined.itemsize
                count = joined.take(lengths, table["num_bytes"].to_numpy())
                data = b"".join(table["ids"].slice(0, count).to_pylist())
                joined.digest.update(data)
                tokens.write(data)


class _Joined:
    """The records of a domain's shards, and counts of what was taken of one split."""

    def __init__(self, records: Sequence[Mapping[str, Any]], split: str) -> None:
        self.records = list(records)
        self.split = split
        self.domain: str = records[0]["domain"]
        self.itemsize = np.dtype(records[0]["dtype"]).itemsize
        self.parts = sorted((p for r in records for p in r["parts"]), key=lambda p: p["part"])
        self.choice: dict[str, Any] = self.parts[0]["choice"]
        self.cap = _split_cap(self.choice, split)
        self.num_documents = self.num_bytes = self.num_tokens = self.num_cut = 0
        self.digest = hashlib.sha256()

    def take(self, lengths: np.ndarray, num_bytes: np.ndarray) -> int:
        """Count documents; return how many of them, from the first on, the cap leaves."""
        count = len(lengths)
        if self.cap is not None:
            fits = self.num_tokens + np.cumsum(lengths) <= self.cap
            count = 0 if self.num_cut else int(np.argmin(np.append(fits, False)))
        self.num_documents += count
        self.num_bytes += int(num_bytes[:count].sum())
        self.num_tokens += int(lengths[:count].sum())
        self.num_cut += len(lengths) - count
        return count

    def check(self) -> None:
        """Raise DataError when no document is left, or too little was read for the cap."""
        if self.num_documents == 0:
            cap = "" if self.cap is None else f" and applying max_tokens ({self.cap:,} here)"
            raise DataError(
                f"the {self.split} split is empty after removing duplicates{cap}. Give the domain "
                "more text, change validation.share, or raise max_tokens"
            )
        stopped = any(part["text_bytes_before_cap_is_estimated"] for part in self.parts)
        if self.cap and stopped and not self.num_cut and self.choice["max_bytes"] is None:
            raise DataError(
                f"the {self.split} split has {self.num_tokens:,} of its {self.cap:,} tokens of "
                f"max_tokens, because reading stopped at {BYTES_PER_CAPPED_TOKEN} bytes per token. "
                "Set max_bytes instead of max_tokens"
            )

    def manifest(self) -> Manifest:
        """Return the manifest of what was taken."""
        first = self.records[0]
        return Manifest(
            domain=self.domain,
            split=self.split,
            **self._drops(),
            num_documents=self.num_documents,
            num_documents_cut=self.num_cut,
            num_bytes=self.num_bytes,
            num_tokens=self.num_tokens,
            sha256=self.digest.hexdigest(),
            dtype=first["dtype"],
            vocabulary_size=first["vocabulary_size"],
            end_of_document_id=first["end_of_document_id"],
            tokenizer_sha256=first["tokenizer_sha256"],
            source_digest=_digest([entry for part in self.parts for entry in part["listing"]]),
            filter_digest=_digest([self.choice, first["near"]]),
            text_version=TEXT_VERSION,
            text_bytes_before_cap=self._bytes_before_cap(),
            text_bytes_before_cap_is_estimated=any(
                part["text_bytes_before_cap_is_estimated"] for part in self.parts
            ),
        )

    def _drops(self) -> dict[str, int]:
        """Return the counts of dropped documents: by reading, and by the search for duplicates."""
        read = [part["splits"][self.split] for part in self.parts]
        exact = sum(part["dropped"].get("exact duplicate", 0) for part in read)
        later = Counter[str]()
        for record in self.records:
            later.update(record["dropped"][self.split])
        return {
            "num_documents_read": sum(part["num_documents_read"] for part in read),
            "num_dropped_exact": exact + later["exact"],
            "num_dropped_near": later["near"],
            "num_dropped_other": sum(sum(part["dropped"].values()) for part in read) - exact,
        }

    def _bytes_before_cap(self) -> int | None:
        """Return the bytes of the whole source, both splits, without duplicates."""
        kept = {split: sum(r["kept_bytes"][split] for r in self.records) for split in SPLITS}
        if not any(part["text_bytes_before_cap_is_estimated"] for part in self.parts):
            return sum(kept.values())
        (part,) = self.parts  # a domain with a cap is one part
        before = part["text_bytes_before_cap"]
        if before is None:
            return None
        return round(before * kept[self.split] / part["splits"][self.split]["num_bytes"])


def publish_tokens(
    joined: tuple[str | Path, str | Path],
    *,
    tokens: str | Path,
    manifest: str | Path,
    sizes: Mapping[str, int],
    division: str | Path,
) -> None:
    """Verify a `joined` (tokens, manifest) pair and put it in its place.

    The `sizes` of parts and shards are written to the file `division`: from now on the domain keeps
    them, whatever the config says. Raises DataError when tokens and manifest do not agree.
    """
    place_tokens(joined[0], read_manifest(joined[1]), tokens=tokens, manifest=manifest)
    write_json(sizes, division)


def _split_cap(choice: Mapping[str, Any], split: str) -> int | None:
    """Return how many of a domain's max_tokens one of its splits may have."""
    total = choice["max_tokens"]
    if total is None:
        return None
    validation = round(total * choice["validation_share"])
    return validation if split == "validation" else total - validation


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
