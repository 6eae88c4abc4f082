"""Fingerprints of the text that runs were trained on: runs on different text are never mixed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mixlaws.errors import DataError

_NUM_NAMED = 3


def text_fingerprint(record: Mapping[str, Any]) -> str:
    """Return one digest, 12 hex digits, of what a run's record says of its token files."""
    text = json.dumps([record["fingerprints"], record["token_files"]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def check_records(records: Sequence[Mapping[str, Any]]) -> None:
    """Raise DataError when runs saw different text: which token file, what differs, which runs.

    `records` are those of run.json; what differs is the list of sources, the filter (all options
    that choose documents), the tokenizer, the version of the code that made the tokens, or only the
    tokens: the list of sources has their sizes, not their bytes.
    """
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for record in records:
        name = f"{record['size']}/{record['mixture']}/seed-{record['seed']}"
        for file, parts in record["fingerprints"].items():
            for part, digest in (parts | {"sha256": record["token_files"][file][:12]}).items():
                found.setdefault((file, part), {}).setdefault(digest, []).append(name)
    problems = [
        f"the {part} of {file} is "
        + " and ".join(f"{digest} in {_some(names)}" for digest, names in runs.items())
        for (file, part), runs in sorted(found.items())
        if len(runs) > 1
    ]
    if problems:
        raise DataError(
            f"all runs must have seen the same text, but {'; '.join(problems)}: delete the runs of "
            "the text that is not wanted, and run again"
        )


def _some(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _NUM_NAMED} more" if len(names) > _NUM_NAMED else ""
    return ", ".join(names[:_NUM_NAMED]) + rest


def check_runs(runs: pd.DataFrame, path: object) -> None:
    """Raise DataError when a run table that knows the text of its runs has several."""
    if "text_fingerprint" not in runs or runs["text_fingerprint"].nunique() <= 1:
        return
    groups = runs.groupby("text_fingerprint", sort=False)
    names = {
        str(digest): _some((group["size"] + "/" + group["mixture"]).drop_duplicates().tolist())
        for digest, group in groups
    }
    listed = " and ".join(f"{digest} in {runs}" for digest, runs in names.items())
    raise DataError(
        f"runs of one analysis must have seen the same text, but text_fingerprint in {path} is "
        f"{listed}: see their run.json for what differs, and keep the runs of one text"
    )
