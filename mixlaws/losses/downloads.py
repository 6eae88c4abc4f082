"""Published files, verified: downloaded at a pinned commit or read from a local copy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixlaws.errors import DataError
from mixlaws.files import file_sha256, write_json

NUM_RETRIES = 3


def download_logs(published: Mapping[str, Any], cache: str | Path, output: str | Path) -> None:
    """Get and verify every published file, and write their sums to `output` (JSON)."""
    published_files(published, cache)
    write_json(published["files"], output)


def published_files(published: Mapping[str, Any], cache: str | Path) -> dict[str, Path]:
    """Return the verified local path of every file of `published.files`, by its name there.

    `published.folder` is a local copy of them. Without it, the files are downloaded from
    `published.url` into `cache`, and a file there with the right sum is not downloaded again.
    Raises DataError with the file, its expected and found sha256, and the config key.
    """
    if published.get("folder"):
        return verified_files(Path(published["folder"]), published["files"])
    return {
        name: _download(published["url"], name, sha256, Path(cache))
        for name, sha256 in published["files"].items()
    }


def verified_files(folder: Path, sums: Mapping[str, str]) -> dict[str, Path]:
    """Return folder/name for every name of `sums`; raise DataError where its sha256 differs."""
    for name, expected in sums.items():
        path = folder / name
        found = file_sha256(path) if path.is_file() else "missing"
        if found != expected:
            raise DataError(
                f"{name} in {folder} is not the published file: its sha256 is {found} instead of "
                f"{expected}. Point published.folder to an unchanged copy, or leave it empty to "
                "download the files"
            )
    return {name: folder / name for name in sums}


def _download(url: str, name: str, sha256: str, cache: Path) -> Path:
    # Imported here so that a local copy needs neither pooch nor a network.
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
