"""Fingerprints of the training text: runs on different text are never analysed together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mixlaws.errors import DataError

_NUM_NAMED = 3


def text_fingerprint(record: Mapping[str, Any]) -> str:
    """Return one digest (12 hex digits) of all token files that a run's record names."""
    text = json.dumps([record["fingerprints"], record["token_files"]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def check_records(records: Sequence[Mapping[str, Any]]) -> None:
    """Raise DataError when runs saw different text, naming token files, differences and runs.

    `records` are the contents of run.json. A difference is in the list of sources, the filter (all
    options that choose documents), the tokenizer, the version of the code that made the tokens, or
    the tokens' sha256 alone: the list of sources has the sizes of files, not their bytes.
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
            f"the runs saw different text: {'; '.join(problems)}. Delete the runs on the text that "
            "you do not want, and rerun"
        )


def _some(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _NUM_NAMED} more" if len(names) > _NUM_NAMED else ""
    return ", ".join(names[:_NUM_NAMED]) + rest


def check_runs(runs: pd.DataFrame, path: object) -> None:
    """Raise DataError when the runs' text_fingerprint differs; imported runs may have none."""
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
        "files show what differs. Keep the runs on one text"
    )
