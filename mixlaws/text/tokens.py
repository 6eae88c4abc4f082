"""Token files: one flat file of token ids per domain and split, and its manifest."""

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
    """The contents and the origin of a token file: the JSON file beside it."""

    domain: str
    split: str
    num_documents_read: int
    num_documents: int
    num_dropped_exact: int
    num_dropped_near: int
    num_dropped_other: int
    dropped_other: dict[str, int]
    """Why the others were dropped."""
    num_cleaned: dict[str, int]
    """Documents that each step of `clean` changed."""
    num_documents_cut: int
    """Documents beyond the domain's max_tokens."""
    num_bytes: int
    """UTF-8 bytes of the documents' text; with num_tokens it gives bits per byte."""
    num_tokens: int
    """One end-of-document token per document among them."""
    num_unknown_tokens: int
    num_documents_checked: int
    """Documents of a sample that were decoded again."""
    num_documents_altered: int
    """Those of them that did not decode to themselves."""
    sample: str
    """What a cap left of the domain, in words; all without a cap."""
    dtype: str
    sha256: str
    vocabulary_size: int
    end_of_document_id: int
    tokenizer_sha256: str
    source_digest: str
    """Digest of the names and sizes of what was read."""
    filter_digest: str
    """Digest of the options that decide which documents are kept."""
    text_version: int
    """TEXT_VERSION (mixlaws/provenance.py) of the code that read and tokenized the documents."""
    text_bytes_before_cap: int | None
    """Bytes of text of the whole source, both splits, without duplicates; None if unknown."""
    text_bytes_before_cap_is_estimated: bool

    @property
    def bytes_per_token(self) -> float:
        """Return the mean bytes of text per token; end-of-document tokens count."""
        return self.num_bytes / self.num_tokens

    @property
    def unknown_share(self) -> float:
        """Return the share of unknown tokens."""
        return self.num_unknown_tokens / self.num_tokens

    @property
    def altered_share(self) -> float:
        """Return the share of the checked documents that do not decode to themselves."""
        return self.num_documents_altered / self.num_documents_checked

    def fingerprint(self) -> dict[str, str]:
        """Return the origin of the tokens: digests of 12 hex digits, and the code's version."""
        found = {
            "source": self.source_digest,
            "filter": self.filter_digest,
            "tokenizer": self.tokenizer_sha256,
            "version": str(self.text_version),
        }
        return {name: digest[:12] for name, digest in found.items()}


def read_manifest(path: str | Path) -> Manifest:
    """Read the manifest beside a token file; raise DataError when it has other keys."""
    record = read_json(path)
    names = [field.name for field in fields(Manifest)]
    if not isinstance(record, dict) or sorted(record) != sorted(names):
        raise DataError(
            f"{path} is not a manifest with {', '.join(names)}. Delete it and rerun tokenization"
        )
    return Manifest(**record)


def open_tokens(tokens: str | Path, manifest: Manifest) -> np.ndarray:
    """Return the token ids as a read-only memory map, (num_tokens,) of the manifest's dtype.

    Raises DataError when the file's size differs from the manifest's.
    """
    dtype = np.dtype(manifest.dtype).newbyteorder("<")
    expected = manifest.num_tokens * dtype.itemsize
    path = Path(tokens)
    found = path.stat().st_size if path.exists() else None
    if found != expected:
        problem = "is missing" if found is None else f"has {found:,} bytes"
        raise DataError(
            f"{path} {problem}; its manifest says {expected:,} bytes ({manifest.num_tokens:,} "
            "tokens). Delete both and rerun tokenization"
        )
    return np.memmap(path, dtype=dtype, mode="r")


def verify_tokens(tokens: str | Path, manifest: Manifest) -> None:
    """Read a whole token file; raise DataError if contents or counts differ from the manifest."""
    open_tokens(tokens, manifest)
    digest, num_ends = hashlib.sha256(), 0
    with open(tokens, "rb") as file:
        while data := file.read(_CHUNK_BYTES):
            digest.update(data)
            ids = np.frombuffer(data, np.dtype(manifest.dtype).newbyteorder("<"))
            num_ends += int(np.count_nonzero(ids == manifest.end_of_document_id))
    if digest.hexdigest() != manifest.sha256:
        raise DataError(
            f"{tokens} was changed after it was written: its sha256 is {digest.hexdigest()[:12]}, "
            f"and {manifest.sha256[:12]} in its manifest. Delete both and rerun tokenization"
        )
    num_dropped = manifest.num_dropped_exact + manifest.num_dropped_near
    num_dropped += manifest.num_dropped_other + manifest.num_documents_cut
    kept = manifest.num_documents_read - num_dropped
    if num_ends != manifest.num_documents:
        raise DataError(
            f"{tokens} has {num_ends:,} ends of documents and {manifest.num_documents:,} documents:"
            " its tokenizer writes that token inside documents too. Tokenize the text again, with "
            "a tokenizer.end_of_document that no text spells"
        )
    if manifest.num_documents != kept:
        raise DataError(
            f"the manifest of {tokens} has {manifest.num_documents:,} documents, but {kept:,} were "
            "read and not dropped. Delete both and rerun tokenization"
        )


@dataclass(frozen=True)
class Allowed:
    """What a tokenizer may lose before a domain is refused."""

    max_unknown_share: float = 0.001
    """Unknown tokens among a split's tokens."""
    max_altered_share: float = 0.1
    """Documents that do not decode to themselves among those checked."""


def check_fidelity(manifest: Manifest, allowed: Allowed) -> None:
    """Raise DataError when the tokenizer lost more of a split's text than is allowed."""
    unknown, altered = manifest.unknown_share, manifest.altered_share
    problems = []
    if unknown > allowed.max_unknown_share:
        problems.append(
            f"{unknown:.2%} of its tokens are unknown (tokenizer.max_unknown_share allows "
            f"{allowed.max_unknown_share:.2%})"
        )
    if altered > allowed.max_altered_share:
        problems.append(
            f"{manifest.num_documents_altered:,} of {manifest.num_documents_checked:,} documents "
            "do not decode to themselves (tokenizer.max_altered_share allows "
            f"{allowed.max_altered_share:.0%})"
        )
    if problems:
        raise DataError(
            f"the tokenizer loses text of the {manifest.split} split: {'; '.join(problems)}. "
            "Losses of such text mean nothing. Use a tokenizer that keeps it, such as a byte-level "
            "BPE, or raise the limit if what is lost does not matter"
        )


def place_tokens(
    source: str | Path,
    described: Manifest,
    *,
    tokens: str | Path,
    manifest: str | Path,
    is_temporary: bool = True,
) -> None:
    """Verify a token file against its description; put it and its manifest in their place.

    A temporary source is hard-linked where the disk allows, which saves a copy. A file of another
    experiment is copied: Snakemake sets the dates of its outputs, and would set those of a linked
    file too. Raises DataError when file and description do not agree.
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

    `manifests` are those of the training splits. A domain's tokens are the bytes of text of its
    source over the bytes per token of what was read. Raises DataError when a source with a cap does
    not know its size.
    """
    unknown = [each.domain for each in manifests if each.text_bytes_before_cap is None]
    if unknown:
        raise DataError(
            f"the size of the whole source is unknown for {', '.join(unknown)}, and the natural "
            "mixture needs it. Remove max_bytes, max_tokens or streaming there"
        )
    tokens = {
        each.domain: (each.text_bytes_before_cap or 0) / each.bytes_per_token for each in manifests
    }
    total = sum(tokens.values())
    return {domain: count / total for domain, count in tokens.items()}
