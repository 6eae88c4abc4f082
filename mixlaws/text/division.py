"""The division of a domain's work into parts and shards, and the sizes that it uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mixlaws.errors import located
from mixlaws.files import read_json
from mixlaws.text.parts import Part, Shard, cut_into_runs
from mixlaws.text.sources import make_text_source


def division_of(path: str | Path, tokenization: Mapping[str, int]) -> dict[str, int]:
    """Return the part_bytes and shard_bytes that a domain was first tokenized with.

    They are read from the file at `path` if it exists, else from the config's section
    `tokenization`. The token files do not depend on the sizes. But Snakemake reruns a job whose set
    of inputs has changed, and then all training after it, so the sizes of a domain stay.
    """
    division = read_json(path) if Path(path).exists() else tokenization
    return {name: division[name] for name in ("part_bytes", "shard_bytes")}


def plan_parts(domain: str, options: Mapping[str, Any], *, part_bytes: int) -> list[Part]:
    """Return the parts of one domain of the config; opens no file.

    Raises DataError when a pattern matches nothing, ConfigError for a file that no reader can read;
    both name the domain.
    """
    source = make_text_source(domain, options)
    with located(f"domain {domain!r}"):
        return source.plan_parts(part_bytes)


def plan_shards(
    domain: str, options: Mapping[str, Any], parts: Sequence[Part], *, shard_bytes: int
) -> list[Shard]:
    """Return the shards of a domain, of about `shard_bytes` of its files each.

    Parts that have no files, or are read up to a cap, count as large as the cap. Parts that have
    neither files nor a cap are one shard each.
    """
    limit = make_text_source(domain, options).limit
    sizes = [part.num_bytes or limit or shard_bytes for part in parts]
    if limit:
        sizes = [min(size, limit) for size in sizes]
    shards: list[Shard] = []
    for run in cut_into_runs(sizes, shard_bytes):
        num_pieces = -(-sizes[run[0]] // shard_bytes) if len(run) == 1 else 1
        shards += [Shard(tuple(run), piece, num_pieces) for piece in range(num_pieces)]
    return shards
