"""Joining: shards of token ids to the token files of a domain."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from mixlaws.errors import DataError, located
from mixlaws.files import atomic_path, write_json
from mixlaws.provenance import TEXT_VERSION
from mixlaws.text.cleaning import STEPS
from mixlaws.text.documents import SPLITS
from mixlaws.text.fidelity import joined_sample
from mixlaws.text.parquet import open_parquet, read_group, read_key
from mixlaws.text.sources.source import BYTES_PER_CAPPED_TOKEN
from mixlaws.text.tokenization import RECORD_KEY, SCHEMA
from mixlaws.text.tokens import (
    Allowed,
    Manifest,
    check_fidelity,
    place_tokens,
    read_manifest,
)

_ALLOWED = Allowed()


def join_shards(
    shards: Sequence[str | Path],
    *,
    split: str,
    tokens: str | Path,
    manifest: str | Path,
    allowed: Allowed = _ALLOWED,
) -> None:
    """Write the token file of one split of a domain, and its manifest, from all its shards.

    The bytes depend on the text and its order, not on parts and shards. With max_tokens the first
    documents are kept, whole; each split has its share of the tokens. Raises DataError when no
    document is left, when reading stopped before there were max_tokens, or when the tokenizer lost
    more of the text than is `allowed`. Memory: about 0.2 GiB.
    """
    joined = _Joined([read_key(path, RECORD_KEY) for path in shards], split)
    with located(f"domain {joined.domain!r}"):
        with atomic_path(tokens) as temporary:
            for path, record in zip(shards, joined.records, strict=True):
                _append(path, record, joined, temporary)
            joined.check()
            found = joined.manifest()
            check_fidelity(found, allowed)
        write_json(asdict(found), manifest)


def _append(path: str | Path, record: Mapping[str, Any], joined: _Joined, output: Path) -> None:
    """Append the documents of one shard to a token file, until max_tokens is reached."""
    with open_parquet(path) as file, output.open("ab") as tokens:
        for group, split in enumerate(record["groups"]):
            if split == joined.split:
                table = read_group(file, path, group, SCHEMA.names)
                lengths = pc.binary_length(table["ids"]).to_numpy() // joined.itemsize
                count = joined.take(lengths, table["num_bytes"].to_numpy())
                data = b"".join(table["ids"].slice(0, count).to_pylist())
                joined.count_unknown(data)
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
        self.num_unknown = 0
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

    def count_unknown(self, data: bytes) -> None:
        """Count the unknown tokens among the ids that were taken."""
        unknown = self.records[0]["unknown_id"]
        if unknown is not None:
            ids = np.frombuffer(data, np.dtype(self.records[0]["dtype"]).newbyteorder("<"))
            self.num_unknown += int(np.count_nonzero(ids == unknown))

    def check(self) -> None:
        """Raise DataError when no document is left, or too little was read for the cap."""
        if self.num_documents == 0:
            cap = "" if self.cap is None else f" and applying max_tokens ({self.cap:,} here)"
            counts = self._drops()
            exact, near = counts["num_dropped_exact"], counts["num_dropped_near"]
            raise DataError(
                f"the {self.split} split is empty after removing duplicates ({exact:,} exact, "
                f"{near:,} near){cap}. Give the domain text that no other domain "
                "has, change validation.share, or raise max_tokens"
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
        checked = joined_sample(record["checked"][self.split] for record in self.records)
        return Manifest(
            domain=self.domain,
            split=self.split,
            **self._drops(),
            num_documents=self.num_documents,
            num_documents_cut=self.num_cut,
            num_bytes=self.num_bytes,
            num_tokens=self.num_tokens,
            num_unknown_tokens=self.num_unknown,
            num_documents_checked=len(checked),
            num_documents_altered=checked.count(False),
            sample=self._sample(),
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

    def _sample(self) -> str:
        """Return in words what the domain's cap left of it."""
        (sample,) = {part["sample"] for part in self.parts} if len(self.parts) == 1 else {""}
        return sample or ("the first documents" if self.num_cut else "all")

    def _drops(self) -> dict[str, Any]:
        """Return the counts of dropped documents: by reading, and by the search for duplicates."""
        read = [part["splits"][self.split] for part in self.parts]
        exact = sum(part["dropped"].get("exact duplicate", 0) for part in read)
        later = Counter[str]()
        for record in self.records:
            later.update(record["dropped"][self.split])
        cleaned = {step: sum(part["cleaned"].get(step, 0) for part in read) for step in STEPS}
        other = sum((Counter(part["dropped"]) for part in read), Counter[str]())
        del other["exact duplicate"]
        return {
            "num_documents_read": sum(part["num_documents_read"] for part in read),
            "num_dropped_exact": exact + later["exact"],
            "num_dropped_near": later["near"],
            "num_dropped_other": other.total(),
            "dropped_other": dict(sorted(other.items())),
            "num_cleaned": cleaned,
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
