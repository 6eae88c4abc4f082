"""Get published files, from a pinned commit or a local copy, and verify their sha256."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixlaws.errors import DataError
from mixlaws.files import file_sha256, write_json
from mixlaws.text.sources.paths import expand_path

NUM_RETRIES = 3


def download_logs(published: Mapping[str, Any], cache: str | Path, output: str | Path) -> None:
    """Get and verify every published file, and write their sha256 to `output` (JSON)."""
    published_files(published, cache)
    write_json(published["files"], output)


def published_files(published: Mapping[str, Any], cache: str | Path) -> dict[str, Path]:
    """Return the verified local path of every file in `published.files`, by its name there.

    If `published.folder` is set, the files are read from there. Otherwise they are downloaded from
    `published.url` into `cache`; a file that is already there with the right sha256 is not
    downloaded again. Raises DataError if a file is missing, differs or cannot be downloaded.
    """
    if published.get("folder"):
        folder = expand_path(published["folder"], "published.folder")
        return verified_files(Path(folder), published["files"])
    return {
        name: _download(published["url"], name, sha256, Path(cache))
        for name, sha256 in published["files"].items()
    }


def verified_files(folder: Path, sums: Mapping[str, str]) -> dict[str, Path]:
    """Return folder/name for every name in `sums`; raise DataError if its sha256 differs."""
    for name, expected in sums.items():
        path = folder / name
        found = file_sha256(path) if path.is_file() else "no such file"
        if found != expected:
            raise DataError(
                f"{name} in {folder} is not the published file: expected sha256 {expected}, found "
                f"{found}. Point published.folder to an unchanged copy, or leave it empty to "
                "download the files"
            )
    return {name: folder / name for name in sums}


def _download(url: str, name: str, sha256: str, cache: Path) -> Path:
    # Imported here, because a local copy needs neither pooch nor a network.
    import pooch

    files = pooch.create(
        path=cache,
        base_url=url.rstrip("/") + "/",
        registry={name: f"sha256:{sha256}"},
        retry_if_failed=NUM_RETRIES,
    )
    try:
        return Path(files.fetch(name))
    except (ValueError, OSError) as error:  # pooch: wrong sum; requests: no network, 404
        raise DataError(
            f"{name} cannot be downloaded from {url} with sha256 {sha256}: {error}. Try again, or "
            "set published.folder to a local copy"
        ) from error
