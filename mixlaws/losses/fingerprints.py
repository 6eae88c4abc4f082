"""Fingerprints of the training text, to refuse to analyse runs on different text together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mixlaws.errors import DataError

_NUM_NAMED = 3


def text_fingerprint(record: Mapping[str, Any]) -> str:
    """Return a digest (12 hex digits) of all token files in a run's record."""
    text = json.dumps([record["fingerprints"], record["token_files"]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def check_records(records: Sequence[Mapping[str, Any]]) -> None:
    """Raise DataError if runs saw different text, naming token files, differences and runs.

    `records` are the contents of run.json. Text may differ in its sources, its filter (all options
    that choose documents), its tokenizer, the version of the code that made the tokens, or only in
    the sha256 of the tokens: sources are compared by the sizes of their files, not their contents.
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
            f"the runs saw different text: {'; '.join(problems)}. Delete the runs on unwanted text "
            "and rerun"
        )


def _some(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _NUM_NAMED} more" if len(names) > _NUM_NAMED else ""
    return ", ".join(names[:_NUM_NAMED]) + rest


def check_runs(runs: pd.DataFrame, path: object) -> None:
    """Raise DataError if the text_fingerprint of the runs differs; imported runs may lack it."""
    if "text_fingerprint" not in runs or runs["text_fingerprint"].nunique() <= 1:
        return
    groups = runs.groupby("text_fingerprint", sort=False)
    names = {
        str(digest): _some((group["size"] + "/" + group["mixture"]).drop_duplicates().tolist())
        for digest, group in groups
    }
    listed = " and ".join(f"{digest} in {runs}" for digest, runs in names.items())
    raise DataError(
        f"the runs saw different text: text_fingerprint in {path} is {listed}. Their run.json "
        "files show what differs. Keep only runs on the same text"
    )
