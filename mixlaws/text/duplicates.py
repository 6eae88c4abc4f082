"""Duplicates: documents that repeat others, exactly or nearly, in any domain and split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mixlaws.files import atomic_path
from mixlaws.footers import check_footer
from mixlaws.text.checks import check_domains
from mixlaws.text.documents import NUM_HASHES, SPLITS, read_columns
from mixlaws.text.minhash import FixedIndex, GrowingIndex
from mixlaws.text.parquet import close_sealed, open_parquet, undamaged

Near = Literal["validation", "all", "none"]
"""Which near duplicates are dropped: training documents like a validation document, all, none."""

SCHEMA = pa.schema(
    [
        pa.field("domain", pa.string(), nullable=False),
        pa.field("part", pa.int32(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("kept_domain", pa.string(), nullable=False),
        pa.field("kept_split", pa.string(), nullable=False),
        pa.field("kept_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("similarity", pa.float64(), nullable=False),
    ]
)
_NEAR_KEY = b"mixlaws.near"
# Small, so that tokenize_shard reads only the row groups of its own parts.
_ROW_GROUP = 2**16


@dataclass(frozen=True)
class _Block:
    """The documents of one split of one part."""

    domain: str
    part: int
    split: str
    path: Path

    def column(self, name: str) -> pa.Array:
        """Return a column of the block's documents, in file order."""
        table = read_columns(self.path, "split", name)
        return table.filter(pc.field("split") == self.split)[name].combine_chunks()

    def signatures(self) -> np.ndarray:
        """Return (n, NUM_HASHES) unsigned 32-bit values."""
        column = self.column("signature")
        values = np.frombuffer(column.buffers()[1] or b"", dtype="<u4")
        start = column.offset * NUM_HASHES
        return values[start : start + len(column) * NUM_HASHES].reshape(-1, NUM_HASHES)


def find_duplicates(
    documents: Mapping[str, Sequence[str | Path]], *, near: Near, output: str | Path
) -> None:
    """Check every domain; write the table of documents to drop, each with the one kept instead.

    `documents` maps each domain to its documents files, in config order. Of exact duplicates a
    validation document is kept before a training one: no training document then repeats validation
    text, and validation sets do not change. After that the earlier domain is kept, then the
    document that is read first. `near` says which near duplicates are dropped. With `all` the same
    order decides, and smaller ids are kept first within a split of a domain.

    Memory: about 60 bytes per document and 2.5 KB per document of the largest part; 0.9 KB more per
    validation document, or, with `all`, 8 KB more per document. Columns of the Parquet file: see
    SCHEMA; kind is exact or near.

    Raises DataError, naming the domain, when a domain has no document, an empty split or more bad
    lines than allowed.
    """
    check_domains(documents)
    blocks = [
        _Block(domain, part, split, Path(path))
        for split in reversed(SPLITS)
        for domain, paths in documents.items()
        for part, path in enumerate(paths)
    ]
    exact, tables = _exact(blocks)
    if near == "all":
        tables += [_near_anywhere(blocks, exact)]
    elif near == "validation":
        tables += _near_validation(blocks, exact)
    table = pa.concat_tables([SCHEMA.empty_table(), *tables])
    table = table.sort_by([(name, "ascending") for name in ("domain", "part", "id")])
    table = table.replace_schema_metadata({_NEAR_KEY: near})
    with atomic_path(output) as temporary:
        writer = pq.ParquetWriter(temporary, table.schema, write_page_checksum=True)
        writer.write_table(table, row_group_size=_ROW_GROUP)
        close_sealed(writer, temporary)


def _exact(blocks: Sequence[_Block]) -> tuple[list[np.ndarray], list[pa.Table]]:
    """Return per block which documents repeat an earlier one, and the rows of SCHEMA for them."""
    keys = [_keys(block.column("id")) for block in blocks]
    starts = np.cumsum([0, *map(len, keys)])
    joined = np.concatenate([np.empty((0, 2), np.uint64), *keys])
    order = np.lexsort((joined[:, 1], joined[:, 0]))  # stable: the first of equals comes first
    same = (joined[order][1:] == joined[order][:-1]).all(axis=1)
    is_first = np.concatenate([[True], ~same])[: len(order)]
    kept = np.empty(len(order), dtype=np.int64)
    kept[order] = order[np.flatnonzero(is_first)[np.cumsum(is_first) - 1]]
    repeats = kept != np.arange(len(kept))
    masks, tables = [], []
    for block, first, last in zip(blocks, starts[:-1], starts[1:], strict=True):
        mask = repeats[first:last]
        masks.append(mask)
        if mask.any():
            owners = np.searchsorted(starts, kept[first:last][mask], "right") - 1
            ids = block.column("id").filter(pa.array(mask))
            tables.append(_rows(block, ids, [blocks[i] for i in owners], ids, "exact"))
    return masks, tables


def _keys(ids: pa.Array) -> np.ndarray:
    """Return the first 128 bits of each id as two integers."""
    digits = "".join(pc.utf8_slice_codeunits(ids, 0, 32).to_pylist())
    return np.frombuffer(bytes.fromhex(digits), dtype=">u8").reshape(-1, 2).astype(np.uint64)


def _near_validation(blocks: Sequence[_Block], exact: Sequence[np.ndarray]) -> Iterator[pa.Table]:
    """Yield rows for the training documents that resemble a validation document that is kept."""
    kept = [
        (block, ~mask)
        for block, mask in zip(blocks, exact, strict=True)
        if block.split == "validation" and not mask.all()
    ]
    if not kept:
        return
    index = FixedIndex(np.concatenate([block.signatures()[mask] for block, mask in kept]))
    ids = pa.concat_arrays([block.column("id").filter(pa.array(mask)) for block, mask in kept])
    owners = [block for block, mask in kept for _ in range(int(mask.sum()))]
    for block, mask in zip(blocks, exact, strict=True):
        if block.split == "train" and not mask.all():
            number, similarity = index.nearest(block.signatures()[~mask])
            found = number >= 0
            own = block.column("id").filter(pa.array(~mask)).filter(pa.array(found))
            nearest = number[found]
            yield _rows(
                block,
                own,
                [owners[i] for i in nearest],
                ids.take(pa.array(nearest)),
                "near",
                similarity[found],
            )


def _near_anywhere(blocks: Sequence[_Block], exact: Sequence[np.ndarray]) -> pa.Table:
    """Return rows for the documents that resemble one kept before them."""
    index = GrowingIndex()
    kept: list[tuple[_Block, str]] = []
    tables = [SCHEMA.empty_table()]
    for block, identity, signature in _by_id(blocks, exact):
        found = index.nearest(signature)
        if found is None:
            index.add(signature)
            kept.append((block, identity))
        else:
            owner, kept_id = kept[found[0]]
            row = _rows(block, [identity], [owner], [kept_id], "near", [found[1]])
            tables.append(row)
    return pa.concat_tables(tables)


def _by_id(
    blocks: Sequence[_Block], exact: Sequence[np.ndarray]
) -> Iterator[tuple[_Block, str, np.ndarray]]:
    """Yield the documents that are not exact duplicates, by split and domain, then by id."""
    groups: dict[tuple[str, str], list[tuple[_Block, np.ndarray]]] = {}
    for block, mask in zip(blocks, exact, strict=True):
        groups.setdefault((block.split, block.domain), []).append((block, ~mask))
    for group in groups.values():
        rows = [
            (identity, block, signature)
            for block, mask in group
            for identity, signature, is_kept in zip(
                block.column("id").to_pylist(), block.signatures(), mask, strict=True
            )
            if is_kept
        ]
        for identity, block, signature in sorted(rows, key=lambda row: row[0]):
            yield block, identity, signature


def _rows(
    block: _Block,
    ids: pa.Array | Sequence[str],
    owners: Sequence[_Block],
    kept_ids: pa.Array | Sequence[str],
    kind: str,
    similarity: Sequence[float] | np.ndarray | None = None,
) -> pa.Table:
    """Return rows of SCHEMA: documents of one block, and those kept instead of them."""
    count = len(ids)
    columns = {
        "domain": [block.domain] * count,
        "part": [block.part] * count,
        "split": [block.split] * count,
        "id": ids,
        "kept_domain": [owner.domain for owner in owners],
        "kept_split": [owner.split for owner in owners],
        "kept_id": kept_ids,
        "kind": [kind] * count,
        "similarity": np.ones(count) if similarity is None else similarity,
    }
    return pa.table(columns, schema=SCHEMA)


def dropped_ids(duplicates: str | Path, domain: str, part: int = 0) -> dict[str, str]:
    """Return the ids to drop from one part of a domain, each with its kind: exact or near."""
    filters = [("domain", "==", domain), ("part", "==", part)]
    with undamaged(duplicates):
        check_footer(duplicates)
        table = pq.read_table(
            duplicates, filters=filters, columns=["id", "kind"], page_checksum_verification=True
        )
    return dict(zip(table["id"].to_pylist(), table["kind"].to_pylist(), strict=True))


def near_mode(duplicates: str | Path) -> str:
    """Return the `near` that a table of duplicates was made with."""
    with open_parquet(duplicates) as file:
        return str(file.schema_arrow.metadata[_NEAR_KEY].decode())
