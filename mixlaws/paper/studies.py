"""Read the paper's data sets (studies) from the authors' logs and save them as swarms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixlaws.losses.downloads import published_files
from mixlaws.losses.readers import READERS

READER = "data_mixing_laws"
_SHARED = ("vocabulary_size", "sequence_length", "sizes")


def study_options(published: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the reader's options for one of `published.studies`."""
    return {**published["studies"][name], **{key: published[key] for key in _SHARED}}


def read_study(
    published: Mapping[str, Any], name: str, *, cache: str | Path, folder: str | Path
) -> None:
    """Read one study from its logs, apply corrections, and save it as a swarm into a folder.

    The logs come from `published.folder` or are downloaded into `cache`. Raises DataError if a file
    is not the published one, and the errors of the reader.
    """
    names = published["studies"][name]["files"].values()
    sums = {path: published["files"][path] for path in names}
    files = published_files({**published, "files": sums}, cache)
    READERS[READER](study_options(published, name), files).save(folder)
