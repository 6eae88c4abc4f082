"""Provenance: the log and the cost of a script, digests of its sources, versions."""

from __future__ import annotations

import atexit
import hashlib
import io
import os
import re
import resource
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
# In place of a digest of the code, so that a reworded docstring makes no tokens or runs foreign.
# Raise one when equal text gives other documents or tokens than before, the other when equal runs
# give other batches or losses: tests/text/test_tokens.py and tests/training tell.
TEXT_VERSION = 2
TRAINING_VERSION = 1
LOGS_SHOWN = "MIXLAWS_LOGS_SHOWN"
"""Set by the Snakefile where Snakemake prints the log of a failed job: the message is in it."""
_PLAIN_IMPORT = re.compile(r"^[ \t]*import (mixlaws[\w.]*)", re.MULTILINE)
_FROM_IMPORT = re.compile(r"^[ \t]*from (mixlaws[\w.]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)


def log_to(path: str | Path) -> None:
    """Begin the job of a rule: its output goes to a log, its errors also to the terminal.

    Everything that this process and its C libraries write goes to the log. An error ends the
    process with one message in the terminal; a user's error has no traceback in the log either.
    When the job ends its cost is recorded in a file of its own (`cost_file`). Of several processes
    that share a log, the first one empties it, and it alone writes the message and the cost.
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
    """Write an error that ends this process to the log and, in one message, to the terminal."""
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
    """Return where a job's cost is recorded: benchmarks/RULE.json beside its logs/RULE.log.

    None for a log that is in no folder `logs`.
    """
    *above, name = Path(log).with_suffix(".json").parts
    if "logs" not in above:
        return None
    place = len(above) - 1 - above[::-1].index("logs")
    return Path(*above[:place], "benchmarks", *above[place + 1 :], name)


def record_cost(path: Path, seconds: float) -> None:
    """Record what a job cost: its seconds, the processor's seconds and its largest memory, in MB.

    Written by the job itself, as Snakemake refuses `benchmark` for a rule with `cache`; and not an
    output, which has to be the same after every run. A disk without room for it ends nothing.
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
