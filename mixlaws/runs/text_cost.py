"""What reading and tokenizing the text will take, from sizes alone: jobs, hours, disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mixlaws.errors import DataError, located
from mixlaws.text.division import plan_shards
from mixlaws.text.sources import make_source, make_text_source
from mixlaws.text.sources.source import TextSource
from mixlaws.text.sources.token_files import TokenFilesSource

Row = dict[str, Any]
# What a token of text takes before anything is tokenized.
BYTES_PER_TOKEN = 4
# Documents of this workflow: text under Zstandard, and a signature and an id each.
_DOCUMENTS_COMPRESSION = 2.5
# find_duplicates, make_tokenizer and account_tokens; join_shards and publish_tokens per split.
_NUM_COMMON_JOBS = 3
_JOBS_PER_SPLIT = 2
_NOT_THERE = "unknown: its token files are not there"
_TWO_BYTE_VOCABULARY = 2**16
_SUMMED = [
    *("text_bytes", "parts", "shards", "jobs", "read_hours", "tokenize_hours", "tokens"),
    *("documents_bytes", "tokens_bytes", "peak_bytes"),
]


def text_rows(config: Mapping[str, Any], vocabulary_size: int) -> list[Row]:
    """Return one row per domain, then the sum; hours are those of one core.

    Speeds are the config's tokenization.read_speed and tokenize_speed, MB of text a second and core
    (their defaults: benchmarks/tokenization.py). Text of unknown size has no numbers.
    """
    measured = config["validation"]["domains"]
    rows = [_row(config, d, source, vocabulary_size, 2) for d, source in config["domains"].items()]
    rows += [_row(config, d, source, vocabulary_size, 1) for d, source in measured.items()]
    total: Row = dict.fromkeys(rows[0]) | {"domain": "sum", "counted_by": ""}
    for name in _SUMMED:
        total[name] = sum(row[name] or 0 for row in rows)
    total["jobs"] += _NUM_COMMON_JOBS
    return [*rows, total]


def _row(
    config: Mapping[str, Any],
    domain: str,
    source: Mapping[str, Any],
    vocabulary_size: int,
    num_splits: int,
) -> Row:
    given = make_source(domain, source)
    if isinstance(given, TokenFilesSource):
        return _given_row(domain, given, num_splits)
    sizes = config["tokenization"]
    opened = make_text_source(domain, source)
    text, words = text_bytes(opened, source.get("available_tokens"))
    if text is None:
        unknown = dict.fromkeys(_SUMMED)
        return {"domain": domain, "counted_by": words} | unknown
    with located(f"domain {domain!r}"):
        parts = opened.estimate_parts(sizes["part_bytes"], text)
    shards = plan_shards(domain, source, parts, shard_bytes=sizes["shard_bytes"])
    tokens = round(text / BYTES_PER_TOKEN)
    tokens_bytes = tokens * (2 if vocabulary_size <= _TWO_BYTE_VOCABULARY else 4)
    documents_bytes = round(text / _DOCUMENTS_COMPRESSION)
    return {
        "domain": domain,
        "counted_by": words,
        "text_bytes": round(text),
        "parts": len(parts),
        "shards": len(shards),
        "jobs": len(parts) + len(shards) + _JOBS_PER_SPLIT * num_splits,
        "read_hours": text / sizes["read_speed"] / 1e6 / 3600,
        "tokenize_hours": text / sizes["tokenize_speed"] / 1e6 / 3600,
        "tokens": tokens,
        "documents_bytes": documents_bytes,
        "tokens_bytes": tokens_bytes,
        # Shards stand beside the joined file until it is whole.
        "peak_bytes": documents_bytes + 2 * tokens_bytes,
    }


def _given_row(domain: str, source: TokenFilesSource, num_splits: int) -> Row:
    """Return the row of a domain given as token files: exact, read by nobody, copied."""
    splits = ["validation", "train"][:num_splits]
    try:
        manifests = [source.manifest(split) for split in splits]
    except DataError:  # they may be on another machine, or still to be made
        return {"domain": domain, "counted_by": _NOT_THERE} | dict.fromkeys(_SUMMED)
    tokens_bytes = sum(each.num_tokens * np.dtype(each.dtype).itemsize for each in manifests)
    return dict.fromkeys(_SUMMED, 0) | {
        "domain": domain,
        "counted_by": "its token files",
        "text_bytes": sum(each.num_bytes for each in manifests),
        "jobs": num_splits,
        "tokens": sum(each.num_tokens for each in manifests),
        "tokens_bytes": tokens_bytes,
        "peak_bytes": tokens_bytes,
    }


def text_bytes(source: TextSource, stated: int | None) -> tuple[float | None, str]:
    """Return the bytes of text that will be read of a domain, and how that is known.

    `stated` is the domain's available_tokens.
    """
    known = []
    if source.limit:
        known.append((float(source.limit), "its cap"))
    if found := source.text_bytes():
        known.append((found, "bytes of its files"))
    elif stated:
        known.append((float(stated * BYTES_PER_TOKEN), "available_tokens * 4"))
    return min(known) if known else (None, "unknown until it is read")


def text_tokens(
    domain: str, source: Mapping[str, Any], validation_share: float
) -> tuple[int | None, str]:
    """Return the training tokens of a domain before any is counted, and how that was known."""
    known = []
    if stated := source.get("available_tokens"):
        known.append((int(stated), "stated"))
    given = make_source(domain, source)
    text: float | None = None
    if isinstance(given, TextSource):
        text, words = given.max_bytes, "max_bytes / 4"
        if text is None:
            text, words = given.text_bytes(), "bytes of its files / 4"
    if text:
        known.append((int(text * (1 - validation_share) / BYTES_PER_TOKEN), words))
    if capped := source.get("max_tokens"):
        known.append((int(capped * (1 - validation_share)), "max_tokens"))
    if isinstance(given, TokenFilesSource):
        try:
            known.append((given.manifest("train").num_tokens, "its manifest"))
        except DataError:
            return min(known) if known else (None, _NOT_THERE)
    return min(known) if known else (None, "unknown until it is read")
