"""Paths of the config: `~` and $NAME are replaced; all that a pattern matches is accounted for."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from os.path import expandvars
from pathlib import Path
from typing import Any

from mixlaws.errors import ConfigError, DataError
from mixlaws.text.parts import SourceFile

_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})")
_SNAKEMAKE = re.compile(r"[{}]|<\s*\w+\s*>")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_COPY = {
    "s3": "`aws s3 sync {folder} text/`",
    "gs": "`gcloud storage rsync -r {folder} text/`",
    "hf": "`source: huggingface`, or `hf download`",
}


def expand_path(path: str, key: str) -> str:
    """Replace a leading `~`, and $NAME by the environment variable, in the path of a config key.

    Raises ConfigError, naming the key, for a variable that is not set and for a URL.
    """
    if found := _URL.match(path):
        scheme = found.group()[:-3]
        copy = _COPY.get(scheme, "a download").format(folder=path.rpartition("/")[0])
        raise ConfigError(
            f"{path!r} in {key} is a URL; only files on this machine are read. Copy them first, "
            f"with {copy}, or mount the store"
        )
    expanded = os.path.expanduser(expandvars(path))  # noqa: PTH111 (no Path: it may be a pattern)
    for name in _VARIABLE.findall(path):
        if name.strip("{}") not in os.environ:
            raise ConfigError(
                f"the variable ${name} in {key} ({path!r}) is not set. Set it, or write [$] for a "
                "dollar sign in a pattern"
            )
    return expanded


def is_plain(path: str) -> bool:
    """Return whether Snakemake takes a path as it is; it reads {x} and <x> as its own variables."""
    return _SNAKEMAKE.search(path) is None


def plain_path(path: str, key: str) -> str:
    """Expand a path that Snakemake must take as it is.

    Raises ConfigError, naming the key, where `expand_path` does, and for braces or <x> in the path.
    """
    expanded = expand_path(path, key)
    if not is_plain(expanded):
        raise ConfigError(
            f"{expanded!r} in {key} has braces or <...>, which Snakemake reads as variables. "
            "Rename the file or its folder"
        )
    return expanded


def watched(files: Iterable[SourceFile]) -> list[str]:
    """Return the paths of the files that Snakemake takes as they are: inputs of a rule."""
    return [file.path for file in files if is_plain(file.path)]


def modified_at(files: Iterable[SourceFile]) -> list[list[Any]]:
    """Return path and time of the last change of the files that Snakemake cannot watch."""
    return [
        [file.path, os.stat(file.path).st_mtime_ns]  # noqa: PTH116
        for file in files
        if not is_plain(file.path)
    ]


def matching_files(pattern: str, suffixes: Sequence[str]) -> list[Path]:
    """Return the files that an expanded pattern matches.

    Raises DataError for what the pattern matches and nobody can read: a link without target, a
    folder none of whose files is matched, a folder without permission, a device, a name that is
    not UTF-8.
    """
    _check_folders(pattern)
    files, folders = [], []
    # Path.glob takes no absolute pattern.
    for path in map(Path, sorted(glob.glob(pattern, recursive=True))):  # noqa: PTH207
        _check_name(path)
        try:
            mode = path.stat().st_mode
        except OSError as error:
            raise DataError(_unreadable(pattern, path, error)) from error
        if stat.S_ISREG(mode):
            files.append(path)
        elif stat.S_ISDIR(mode):
            folders.append(path)
        else:
            raise DataError(
                f"{pattern!r} in paths matches {path}, which is no regular file. Narrow the pattern"
            )
    parents = {parent for file in files for parent in file.parents} if folders else set()
    for folder in folders:
        is_data = folder.name.endswith(tuple(suffixes)) or _holds_files(folder)
        if folder not in parents and is_data:
            raise DataError(folder_problem(pattern, folder, suffixes))
    return files


def folder_problem(pattern: str, folder: Path, suffixes: Sequence[str]) -> str:
    """Return the message for a folder where files are meant, with the pattern to write."""
    names = sorted(path.name for path in folder.rglob("*") if path.is_file())
    known = [suffix for suffix in suffixes if any(name.endswith(suffix) for name in names)]
    below = f"{folder}/**/*{known[-1] if known else suffixes[0]}"
    return (
        f"{pattern!r} in paths matches {folder}, which is a folder, and none of the files in it. "
        f"Write {below} for the files in it, or narrow the pattern"
    )


def _unreadable(pattern: str, path: Path, error: OSError | None = None) -> str:
    """Return the message for a link without target, or another path that cannot be looked at."""
    if path.is_symlink() and not os.path.exists(path):  # noqa: PTH110 (false for a loop of links)
        return (
            f"{pattern!r} in paths matches {path}, a link to {path.readlink()}, which is not "
            "there. Fetch the file (with git-annex, DVC or hf download), or remove the link"
        )
    reason = error.strerror if error else "it cannot be looked at"
    return (
        f"{pattern!r} in paths matches {path}: {reason}. Check its permissions, or narrow the "
        "pattern"
    )


def _check_name(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        name = os.fsencode(path.name)
        raise DataError(
            f"the file name {name!r} in {_shown(path.parent)} is not UTF-8. Rename the file, for "
            "example with convmv"
        ) from None


def _shown(path: Path) -> str:
    return str(path).encode(errors="backslashreplace").decode()


def _holds_files(folder: Path) -> bool:
    return any(path.is_file() or path.is_symlink() for path in folder.rglob("*"))


def _check_folders(pattern: str) -> None:
    """Refuse folders that the pattern leads through and that cannot be listed: glob skips them."""
    for folder in _folders(pattern):
        if not os.access(folder, os.R_OK | os.X_OK):
            raise DataError(
                f"{pattern!r} in paths leads through {folder}, which cannot be listed. Check its "
                "permissions"
            )


def _folders(pattern: str) -> Iterator[Path]:
    """Yield every folder in which a part of the pattern is looked for."""
    parts = Path(pattern).parts
    for place, part in enumerate(parts):
        before = str(Path(*parts[:place]))
        if not glob.has_magic(part) and not glob.has_magic(before):
            continue
        tops = glob.glob(before, recursive=True) if glob.has_magic(before) else [before]  # noqa: PTH207
        for top in map(Path, tops):
            if top.is_symlink() and not top.suffix and not os.path.exists(top):  # noqa: PTH110
                raise DataError(_unreadable(pattern, top))
            if top.is_dir():
                yield top
                if part == "**":
                    yield from _below(top, pattern)


def _below(folder: Path, pattern: str) -> Iterator[Path]:
    """Yield the folders below one; a link without target that may be a folder is refused."""
    if not os.access(folder, os.R_OK | os.X_OK):
        return  # the caller refuses it
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            path = Path(entry.path)
            if entry.is_dir():
                yield path
                yield from _below(path, pattern)
            elif entry.is_symlink() and not path.suffix and not os.path.exists(path):  # noqa: PTH110
                raise DataError(_unreadable(pattern, path))
