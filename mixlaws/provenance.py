"""Provenance: the log and the cost of a job, the digest of its code, and versions."""

from __future__ import annotations

import atexit
import hashlib
import io
import os
import re
import resource
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any

from mixlaws.errors import DataError, UserError, one_message
from mixlaws.files import FULL_DISK, write_json

PACKAGE = Path(str(files("mixlaws")))
# Fingerprints have these versions instead of a digest of the code, so that a reworded docstring
# does not invalidate tokens or runs. Raise TEXT_VERSION if a change gives other documents or tokens
# for the same text, and TRAINING_VERSION if it gives other batches or losses for the same run. The
# tests in tests/text/test_tokens.py and tests/training fail in these cases.
TEXT_VERSION = 3
TRAINING_VERSION = 1
LOGS_SHOWN = "MIXLAWS_LOGS_SHOWN"
"""Set by the Snakefile if Snakemake prints the logs of failed jobs, which contain the message."""
COMMAND = "MIXLAWS_COMMAND"
"""Set by the Snakefile to the command that started the workflow, for the page."""
_PLAIN_IMPORT = re.compile(r"^[ \t]*import (mixlaws[\w.]*)", re.MULTILINE)
_FROM_IMPORT = re.compile(r"^[ \t]*from (mixlaws[\w.]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)


def log_to(path: str | Path) -> None:
    """Redirect the output of a rule's job to a log, and show its errors also in the terminal.

    Everything that this process and its C libraries write goes to the log. An error ends the
    process with one message in the terminal; a user's error has no traceback in the log either.
    When the job ends, its cost is recorded (`cost_file`). If several processes share a log, the
    first one empties it, and only this one writes the message and the cost.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    ranks = [os.environ.get(name, "0") for name in ("LOCAL_RANK", "SLURM_PROCID")]
    is_first = all(rank == "0" for rank in ranks)
    terminal = os.dup(2) if is_first and not os.environ.get(LOGS_SHOWN) else None
    log = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if is_first else 0), 0o644
    )
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
    cost = cost_file(path) if is_first else None
    began = time.monotonic()

    def write_cost() -> None:
        if cost is not None:
            record_cost(cost, time.monotonic() - began)

    def report(*raised: Any) -> None:
        atexit.unregister(write_cost)
        _, error, trace = raised
        _report(error, trace, path, terminal)

    sys.excepthook = report
    atexit.register(write_cost)


def _report(
    error: BaseException, trace: TracebackType | None, log: str | Path, terminal: int | None
) -> None:
    """Write the error that ends this process to the log, and its message to the terminal."""
    message = one_message(error)
    if isinstance(error, UserError):
        print(message, file=sys.stderr)
    else:
        sys.__excepthook__(type(error), error, trace)
        message = f"{message} (unexpected: see the traceback in {log})"
    if terminal is not None:
        with suppress(OSError):
            os.write(terminal, f"{message}\n".encode(errors="backslashreplace"))


def cost_file(log: str | Path) -> Path | None:
    """Return the path of a job's cost: benchmarks/RULE.json for the log logs/RULE.log.

    Return None if the log is not in a folder `logs`.
    """
    *above, name = Path(log).with_suffix(".json").parts
    if "logs" not in above:
        return None
    place = len(above) - 1 - above[::-1].index("logs")
    return Path(*above[:place], "benchmarks", *above[place + 1 :], name)


def record_cost(path: Path, seconds: float) -> None:
    """Record the cost of a job: its seconds, processor seconds and peak memory in MB.

    The job writes this itself, because Snakemake refuses `benchmark` for a rule with `cache`. It is
    not an output, because outputs are the same after every run. A full disk is ignored.
    """
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    processor = sum(used.ru_utime + used.ru_stime for used in (own, children))
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    record = {
        "seconds": round(seconds, 3),
        "cpu_seconds": round(processor, 3),
        "max_memory_mb": round(max(own.ru_maxrss, children.ru_maxrss) / unit),
    }
    with suppress(OSError, DataError):
        write_json(record, path)


class _LogFile(io.FileIO):
    """A log that drops lines if its disk is full, instead of ending the job."""

    def write(self, data: Any) -> int:
        """Write data, or drop it if the disk is full."""
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in FULL_DISK:
                raise
            return len(data)


def source_digest(script: str | Path) -> str:
    """Return a digest (12 hex digits) of a rule's script and all package files that it imports.

    Rules have it as a param, because Snakemake watches a script but not its imports. Raises
    DataError if the script does not exist.
    """
    script = Path(script)
    if not script.is_file():
        raise DataError(f"there is no script {script}. Name one in {script.parent}")
    digest = hashlib.sha256()
    reached = {path.relative_to(PACKAGE).as_posix(): path for path in import_closure(script)}
    for name, path in [(script.name, script), *sorted(reached.items())]:
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def import_closure(script: Path) -> set[Path]:
    """Return the package's modules that a script imports, at any depth, and their data files.

    A data file (a template, a schema) belongs to every file that contains its name.
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

    Imports are found by regular expressions, because parsing is ten times slower. An import in a
    docstring is found too, which only makes the digest stricter.
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
    """Return the files of the package that are not modules, by name."""
    return {path.name: path for path in _package_files(package) if path.suffix != ".py"}


def versions(*packages: str) -> dict[str, str]:
    """Return the installed versions of Python and the named packages."""
    found = {name: metadata.version(name) for name in packages}
    return {"python": ".".join(map(str, sys.version_info[:3]))} | found


def command() -> str:
    """Return the command that started the workflow; empty if it was not noted."""
    return os.environ.get(COMMAND, "")


def commit() -> str:
    """Return the git commit of this package and whether files differ from it; empty without git."""
    root = PACKAGE.parent
    tracked = _git(root, "ls-files", "mixlaws/__init__.py")
    found = _git(root, "rev-parse", "HEAD") if tracked else ""
    changed = " with changes" if found and _git(root, "status", "--porcelain", "mixlaws") else ""
    return found + changed


def _git(root: Path, *arguments: str) -> str:
    """Return what a git command prints; empty if it fails or git is missing."""
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, timeout=10, check=True
        )
        return done.stdout.strip()
    return ""
