"""Token files: one flat file of token ids per domain and split, its manifest, the accounting."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from mixlaws.errors import DataError
from mixlaws.files import atomic_path, read_json, write_json

# Read at a time when a token file is verified.
_CHUNK_BYTES = 2**24


@dataclass(frozen=True)
class Manifest:
    """What a token file holds and where it comes from: the JSON file beside it."""

    domain: str
    split: str
    num_documents_read: int
    num_documents: int
    num_dropped_exact: int
    num_dropped_near: int
    num_dropped_other: int
    num_documents_cut: int
    """Documents beyond the domain's max_tokens."""
    num_bytes: int
    """UTF-8 bytes of the documents' text; with num_tokens it gives bits per byte."""
    num_tokens: int
    """One end-of-document token per document among them."""
    dtype: str
    sha256: str
    vocabulary_size: int
    end_of_document_id: int
    tokenizer_sha256: str
    source_digest: str
    """Of the list of what was read: names and sizes."""
    filter_digest: str
    """Of the options that decide which documents are kept."""
    text_version: int
    """TEXT_VERSION (mixlaws/provenance.py) of the code that read and tokenized them."""
    text_bytes_before_cap: int | None
    """Bytes of the whole source, both splits, without duplicates; None if nobody knows."""
    text_bytes_before_cap_is_estimated: bool

    @property
    def bytes_per_token(self) -> float:
        """Return the mean bytes of text per token, end-of-document tokens counted."""
        return self.num_bytes / self.num_tokens

    def fingerprint(self) -> dict[str, str]:
        """Return where the tokens come from: digests of 12 hex digits, the version of the code."""
        found = {
            "source": self.source_digest,
            "filter": self.filter_digest,
            "tokenizer": self.tokenizer_sha256,
            "version": str(self.text_version),
        }
        return {name: digest[:12] for name, digest in found.items()}


def read_manifest(path: str | Path) -> Manifest:
    """Read the manifest beside a token file; raise DataError when it is not one."""
    record = read_json(path)
    names = [field.name for field in fields(Manifest)]
    if not isinstance(record, dict) or sorted(record) != sorted(names):
        raise DataError(
            f"{path} must be a manifest with {', '.join(names)}, but is not: delete it and rerun "
            "tokenization"
        )
    return Manifest(**record)


def open_tokens(tokens: str | Path, manifest: Manifest) -> np.ndarray:
    """Return the token ids as a read-only memory map, (num_tokens,) of the manifest's dtype.

    Raises DataError when the file's size is not what the manifest says.
    """
    dtype = np.dtype(manifest.dtype).newbyteorder("<")
    expected = manifest.num_tokens * dtype.itemsize
    path = Path(tokens)
    found = path.stat().st_size if path.exists() else None
    if found != expected:
        raise DataError(
            f"{path} must hold the {expected:,} bytes of its manifest ({manifest.num_tokens:,} "
            f"tokens), but {'is missing' if found is None else f'holds {found:,}'}: delete both "
            "and rerun tokenization"
        )
    return np.memmap(path, dtype=dtype, mode="r")


def verify_tokens(tokens: str | Path, manifest: Manifest) -> None:
    """Read a token file whole; raise DataError unless contents and counts are the manifest's."""
    open_tokens(tokens, manifest)
    digest, num_ends = hashlib.sha256(), 0
    with open(tokens, "rb") as file:
        while data := file.read(_CHUNK_BYTES):
            digest.update(data)
            ids = np.frombuffer(data, np.dtype(manifest.dtype).newbyteorder("<"))
            num_ends += int(np.count_nonzero(ids == manifest.end_of_document_id))
    if digest.hexdigest() != manifest.sha256:
        raise DataError(
            f"{tokens} must have the sha256 of its manifest, {manifest.sha256[:12]}, but has "
            f"{digest.hexdigest()[:12]}: it was changed after it was written; delete both and "
            "rerun tokenization"
        )
    num_dropped = manifest.num_dropped_exact + manifest.num_dropped_near
    num_dropped += manifest.num_dropped_other + manifest.num_documents_cut
    kept = manifest.num_documents_read - num_dropped
    if not manifest.num_documents == num_ends == kept:
        raise DataError(
            f"{tokens} must hold as many documents as were read and not dropped, {kept:,}, but "
            f"its manifest says {manifest.num_documents:,} and it has {num_ends:,} ends of "
            "documents: delete both and rerun tokenization"
        )


def place_tokens(
    source: str | Path,
    described: Manifest,
    *,
    tokens: str | Path,
    manifest: str | Path,
    is_temporary: bool = True,
) -> None:
    """Verify a token file against what describes it, and put it and its manifest in their place.

    A temporary source becomes a hard link where the disk allows: no second copy. Another
    experiment's file is copied: Snakemake dates its outputs, and with them whatever they are linked
    to. Raises DataError when file and description do not agree.
    """
    verify_tokens(source, described)
    with atomic_path(tokens) as temporary:
        if not (is_temporary and _linked(source, temporary)):
            shutil.copyfile(source, temporary)
    write_json(asdict(described), manifest)


def _linked(source: str | Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError:
        return False
    return True


def natural_shares(manifests: Sequence[Manifest]) -> dict[str, float]:
    """Return each domain's share of all tokens before any cap; the shares sum to one.

    `manifests` are those of the training splits: a source's bytes of text, divided by the bytes per
    token found in the part that was read. Raises DataError where a capped source does not know its
    size.
    """
    unknown = [each.domain for each in manifests if each.text_bytes_before_cap is None]
    if unknown:
        raise DataError(
            "the natural mixture must know how much text each domain has, but the sources of "
            f"{', '.join(unknown)} do not tell: drop max_bytes or streaming there"
        )
    tokens = {
        each.domain: (each.text_bytes_before_cap or 0) / each.bytes_per_token for each in manifests
    }
    total = sum(tokens.values())
    return {domain: count / total for domain, count in tokens.items()}
