"""Tokenization: documents to shards of token ids."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer

from mixlaws.errors import DataError, located
from mixlaws.files import atomic_path, file_sha256
from mixlaws.text.documents import SPLITS, read_record, read_rows
from mixlaws.text.duplicates import dropped_ids, near_mode
from mixlaws.text.fidelity import Decoder, Sample, unknown_id
from mixlaws.text.parquet import close_sealed
from mixlaws.text.parts import Shard

# One row a document; a row group holds documents of one split only, in file order.
SCHEMA = pa.schema(
    [
        pa.field("num_bytes", pa.int64(), nullable=False),
        pa.field("ids", pa.binary(), nullable=False),
    ]
)
RECORD_KEY = b"mixlaws.shard"
"""Key of the record inside a shard: counts, and what was checked."""


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
    vocabulary above 65,536. Text that spells a special token is encoded as ordinary text. A sample
    of the documents is decoded again (mixlaws.text.fidelity). Memory: about 0.3 GiB,
    and 100 times the largest document.
    """
    # The tokenizers library reads this when it first encodes.
    os.environ["RAYON_NUM_THREADS"] = str(num_threads)
    encoder = _Encoder(tokenizer)
    domain = read_record(documents[0])["domain"]
    tally = _Tally()
    samples = {split: Sample() for split in SPLITS}
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
                    ids = encoder.encode(kept)
                    writer.write_table(encoder.table(kept, ids))
                    tally.groups.append(split)
                    encoder.sample(kept, ids, samples[split])
        record = {
            "domain": domain,
            "near": near_mode(duplicates),
            "parts": [read_record(path) for path in documents if shard.piece == 0],
            "tokenizer_sha256": file_sha256(tokenizer),
            "vocabulary_size": encoder.vocabulary_size,
            "end_of_document_id": encoder.end_of_document_id,
            "unknown_id": encoder.unknown_id,
            "dtype": encoder.dtype.name,
            "checked": {split: sample.checked for split, sample in samples.items()},
            **asdict(tally),
        }
        writer.add_key_value_metadata({RECORD_KEY: json.dumps(record, sort_keys=True)})
        close_sealed(writer, temporary)


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
        self._decoder = Decoder(self._tokenizer)
        self.vocabulary_size = max(self._tokenizer.get_vocab().values()) + 1
        self.end_of_document_id: int = self._tokenizer.encode("").ids[-1]
        self.unknown_id = unknown_id(self._tokenizer)
        self.dtype = np.dtype(np.uint16 if self.vocabulary_size <= 2**16 else np.uint32)

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> list[list[int]]:
        """Return the ids of each document; only the last one is the end-of-document token.

        Raises DataError when the tokenizer cannot encode a document, or writes the end inside it.
        """
        try:
            found = self._tokenizer.encode_batch_fast([row["text"] for row in rows])
        except Exception as error:  # the library raises nothing narrower
            raise DataError(
                f"the tokenizer cannot encode the text: {error}. Give it a token for what it does "
                "not know, or use another one"
            ) from error
        ids = [encoding.ids for encoding in found]
        for row, each in zip(rows, ids, strict=True):
            if each.count(self.end_of_document_id) != 1:
                raise DataError(
                    "the tokenizer writes its end-of-document token inside document "
                    f"{row['id'][:12]} ({row['text'][:60]!r}). Set tokenizer.end_of_document to a "
                    "token that no text spells"
                )
        return ids

    def table(self, rows: Sequence[Mapping[str, Any]], ids: Sequence[Sequence[int]]) -> pa.Table:
        """Return rows of SCHEMA for documents and their ids."""
        packed = [self._packed(each) for each in ids]
        return pa.table({"num_bytes": [row["num_bytes"] for row in rows], "ids": packed}, SCHEMA)

    def sample(
        self, rows: Sequence[Mapping[str, Any]], ids: Sequence[Sequence[int]], sample: Sample
    ) -> None:
        """Decode those documents that belong to the sample of their split."""
        for row, each in zip(rows, ids, strict=True):
            sample.add(row["id"], partial(self._decoder.keeps, row["text"], each[:-1]))

    def _packed(self, ids: Sequence[int]) -> bytes:
        """Return ids as little-endian bytes; struct packs a list in half the time of numpy."""
        return struct.pack(f"<{len(ids)}{self.dtype.char}", *ids)
