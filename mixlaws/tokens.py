"""Token files: one flat file of token ids per domain and split, its manifest, the accounting."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mixlaws.errors import DataError
from mixlaws.runtime import file_sha256, read_json

if TYPE_CHECKING:
    import pandas as pd


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
    num_bytes: int
    """UTF-8 bytes of the documents' text; with num_tokens it gives bits per byte."""
    num_tokens: int
    """One end-of-document token per document among them."""
    dtype: str
    sha256: str
    vocabulary_size: int
    end_of_document_id: int
    tokenizer_sha256: str
    documents_sha256: str
    source_digest: str
    text_bytes_before_cap: int | None
    """Bytes of the whole source, both splits, without duplicates; None if nobody knows."""
    text_bytes_before_cap_is_estimated: bool

    @property
    def bytes_per_token(self) -> float:
        """Return the mean bytes of text per token, end-of-document tokens counted."""
        return self.num_bytes / self.num_tokens


def read_manifest(path: str | Path) -> Manifest:
    """Read the manifest beside a token file; raise DataError when it is not one."""
    record = read_json(path)
    names = [field.name for field in fields(Manifest)]
    if not isinstance(record, dict) or sorted(record) != sorted(names):
        raise DataError(
            f"{path} must be a manifest with {', '.join(names)}, but is not: delete it and rerun "
            "write_tokens"
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
            "and rerun write_tokens"
        )
    return np.memmap(path, dtype=dtype, mode="r")


def verify_tokens(tokens: str | Path, manifest: Manifest) -> None:
    """Read a token file whole; raise DataError unless contents and counts are the manifest's."""
    ids = open_tokens(tokens, manifest)
    found = file_sha256(tokens)
    if found != manifest.sha256:
        raise DataError(
            f"{tokens} must have the sha256 of its manifest, {manifest.sha256[:12]}, but has "
            f"{found[:12]}: it was changed after it was written; delete both and rerun write_tokens"
        )
    num_ends = int(np.count_nonzero(ids == manifest.end_of_document_id))
    num_dropped = (
        manifest.num_dropped_exact + manifest.num_dropped_near + manifest.num_dropped_other
    )
    kept = manifest.num_documents_read - num_dropped
    if not manifest.num_documents == num_ends == kept:
        raise DataError(
            f"{tokens} must hold as many documents as were read and not dropped, {kept:,}, but "
            f"its manifest says {manifest.num_documents:,} and it has {num_ends:,} ends of "
            "documents: delete both and rerun write_tokens"
        )


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


def accounting_table(
    files: Sequence[tuple[str | Path, str | Path]], *, training_domains: Collection[str]
) -> pd.DataFrame:
    """Return one row per (tokens, manifest) pair: what was read, dropped and kept.

    Every token file is verified against its manifest first. Columns: domain, role, split,
    num_documents_read, num_documents_kept, num_dropped_exact, num_dropped_near, num_dropped_other,
    num_bytes, num_tokens, bytes_per_token, tokens_per_document, sha256, natural_share (training
    splits only).
    """
    # Imported here: training reads token files and needs no tables.
    import pandas as pd

    manifests = [read_manifest(manifest) for _, manifest in files]
    for (tokens, _), manifest in zip(files, manifests, strict=True):
        verify_tokens(tokens, manifest)
    trained = [
        each for each in manifests if each.domain in training_domains and each.split == "train"
    ]
    shares = {(domain, "train"): share for domain, share in natural_shares(trained).items()}
    return pd.DataFrame(
        [
            {
                "domain": each.domain,
                "role": "training" if each.domain in training_domains else "validation-only",
                "split": each.split,
                "num_documents_read": each.num_documents_read,
                "num_documents_kept": each.num_documents,
                "num_dropped_exact": each.num_dropped_exact,
                "num_dropped_near": each.num_dropped_near,
                "num_dropped_other": each.num_dropped_other,
                "num_bytes": each.num_bytes,
                "num_tokens": each.num_tokens,
                "bytes_per_token": each.bytes_per_token,
                "tokens_per_document": each.num_tokens / each.num_documents,
                "sha256": each.sha256,
                "natural_share": shares.get((each.domain, each.split)),
            }
            for each in manifests
        ]
    )
