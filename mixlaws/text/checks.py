"""Checks of a domain that need all of its parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mixlaws.errors import DataError, located
from mixlaws.text.documents import SPLITS, read_record


def check_domain(parts: Sequence[str | Path]) -> None:
    """Check the parts of a domain together.

    Raises DataError, naming the domain, when they have no document, leave a split empty, or skipped
    more bad lines than allowed.
    """
    records = [read_record(path) for path in parts]
    with located(f"domain {records[0]['domain']!r}"):
        check_splits(records)
        _check_bad_lines(records)


def check_domains(documents: Mapping[str, Sequence[str | Path]]) -> None:
    """Check every domain; `documents` maps it to the documents files of all its parts."""
    for parts in documents.values():
        check_domain(parts)


def _check_bad_lines(records: Sequence[Mapping[str, Any]]) -> None:
    allowed = records[0]["choice"]["on_bad_lines"]
    splits = [split for record in records for split in record["splits"].values()]
    found = sum(split["dropped"].get("bad line", 0) for split in splits)
    if isinstance(allowed, int) and found > allowed:
        raise DataError(
            f"{found:,} bad lines in {len(records)} parts; on_bad_lines allows {allowed:,}. See "
            "the logs of read_part, and repair the lines or raise on_bad_lines"
        )


def check_splits(records: Sequence[Mapping[str, Any]]) -> None:
    """Raise DataError when the parts of a domain have no document or leave a split empty."""
    parts = [record["splits"] for record in records]
    counts = {split: sum(part[split]["num_documents"] for part in parts) for split in SPLITS}
    total = sum(counts.values())
    if total == 0:
        dropped = {
            split: dict(sum((Counter(part[split]["dropped"]) for part in parts), Counter()))
            for split in SPLITS
        }
        raise DataError(
            f"no document was found in {_places(records)} (dropped: {dropped}). Check the files, "
            "text_field and filter"
        )
    share = records[0]["choice"]["validation_share"]
    empty = [split for split in SPLITS if counts[split] == 0]
    if share < 1 and empty:
        raise DataError(
            f"the {empty[0]} split is empty: {total:,} document{'s' * (total > 1)} "
            f"({_places(records)}) at "
            f"validation.share {share}. Give the domain more documents, or change the share"
            f"{_one_a_line(records)}"
        )


def _one_a_line(records: Sequence[Mapping[str, Any]]) -> str:
    """Return the remedy for text files that were meant as one document a line."""
    entries = [entry for record in records for entry in record["listing"]]
    if not any(isinstance(each, list) and str(each[0]).endswith(".txt") for each in entries):
        return ""
    return (
        ". A .txt file is one document; if each of its lines is one, write JSON lines: "
        "`jq -cR '{text: .}' FILE.txt > FILE.jsonl`"
    )


def _places(records: Sequence[Mapping[str, Any]]) -> str:
    """Name what was read: the first three and how many more."""
    entries = [entry for record in records for entry in record["listing"]]
    names = [str(entry[0]) if isinstance(entry, list) else "the environment" for entry in entries]
    rest = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + rest
