"""Provenance: the log of a script, digests of its sources, versions."""

from __future__ import annotations

import hashlib
import io
import os
import re
import sys
from functools import cache
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any

from mixlaws.errors import DataError
from mixlaws.files import FULL_DISK

PACKAGE = Path(str(files("mixlaws")))
# In place of a digest of the code, so that a reworded docstring makes no tokens or runs foreign.
# Raise one when equal text gives other documents or tokens than before, the other when equal runs
# give other batches or losses: tests/unit/test_tokens.py and test_training.py tell.
TEXT_VERSION = 2
TRAINING_VERSION = 1
_PLAIN_IMPORT = re.compile(r"^[ \t]*import (mixlaws[\w.]*)", re.MULTILINE)
_FROM_IMPORT = re.compile(r"^[ \t]*from (mixlaws[\w.]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)


def log_to(path: str | Path) -> None:
    """Send stdout and stderr of this process to a file, C libraries' output included.

    Of several processes that share a log, the first one empties it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    ranks = [os.environ.get(name, "0") for name in ("LOCAL_RANK", "SLURM_PROCID")]
    empty = 0 if any(rank != "0" for rank in ranks) else os.O_TRUNC
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | empty, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(
            io.BufferedWriter(_LogFile(number, "w", closefd=False)),
            "utf-8",
            errors="backslashreplace",
            line_buffering=True,
        )
        for number in (1, 2)
    )


class _LogFile(io.FileIO):
    """A log that loses lines where its disk is full, instead of ending what writes them."""

    def write(self, data: Any) -> int:
        """Write what there is room for."""
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in FULL_DISK:
                raise
            return len(data)


def source_digest(script: str | Path) -> str:
    """Return a digest, 12 hex digits, of a rule's script and all package files that it reaches.

    A rule param, as Snakemake watches a script but not what it imports. Raises DataError when
    there is no such script.
    """
    script = Path(script)
    if not script.is_file():
        raise DataError(f"there is no script {script}: name one of {script.parent}")
    digest = hashlib.sha256()
    reached = {path.relative_to(PACKAGE).as_posix(): path for path in import_closure(script)}
    for name, path in [(script.name, script), *sorted(reached.items())]:
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def import_closure(script: Path) -> set[Path]:
    """Return the package's modules that a script imports, at any depth, and their data files.

    A data file (a template, a schema) belongs to what spells its name.
    """
    found: set[Path] = set()
    waiting = {script}
    while waiting:
        new = {path for each in waiting for path in _reached(each, PACKAGE)}
        waiting = new - found
        found |= new
    return found


@cache
def _reached(path: Path, package: Path) -> frozenset[Path]:
    """Return the files of the package that one file imports or names.

    Found by text, as parsing is ten times slower. An import in a docstring counts: no harm done.
    """
    text = path.read_text("utf-8", errors="replace")
    modules = set(_PLAIN_IMPORT.findall(text))
    for module, names in _FROM_IMPORT.findall(text):
        modules |= {module, *(f"{module}.{name}" for name in re.findall(r"\w+", names))}
    found = {file for name, file in _data_files(package).items() if name in text}
    for module in modules:
        parts = module.split(".")[1:]
        found.add(package.joinpath(*parts).with_suffix(".py"))
        found |= {package.joinpath(*parts[:k], "__init__.py") for k in range(len(parts) + 1)}
    return frozenset(file for file in found - {path} if file in _package_files(package))


@cache
def _package_files(package: Path) -> frozenset[Path]:
    """Return every file of the package."""
    return frozenset(p for p in package.rglob("*.*") if p.suffix != ".pyc" and p.is_file())


@cache
def _data_files(package: Path) -> dict[str, Path]:
    """Return the files of the package that are no modules, by name."""
    return {path.name: path for path in _package_files(package) if path.suffix != ".py"}


def versions(*packages: str) -> dict[str, str]:
    """Return the installed version of each named package, and Python's."""
    found = {name: metadata.version(name) for name in packages}
    return {"python": ".".join(map(str, sys.version_info[:3]))} | found
