"""The sizes of parts and shards that a domain's tokenization fixes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mixlaws.files import read_json


def division_of(path: str | Path, tokenization: Mapping[str, int]) -> dict[str, int]:
    """Return the part_bytes and shard_bytes of a domain: those it was first tokenized with.

    `path` is where they were written then. The token files do not depend on them, but Snakemake
    reruns a job whose set of inputs has changed, and after it all training.
    """
    division = read_json(path) if Path(path).exists() else tokenization
    return {name: division[name] for name in ("part_bytes", "shard_bytes")}
