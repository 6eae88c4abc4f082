"""What every script needs around the science: its log file, atomic writes, versions, digests."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from mixlaws.errors import DataError

PACKAGE = Path(__file__).parent
# Stands in the key of Snakemake's cache, where the code does not: raise it when equal text gives
# other documents or tokens than before (tests/unit/test_tokens.py holds the sums that show it).
TEXT_VERSION = 2
_FULL = (errno.ENOSPC, errno.EDQUOT)


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
            if error.errno not in _FULL:
                raise
            return len(data)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path` that replaces it only if the block succeeds.

    Raises DataError naming the file when the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        free = shutil.disk_usage(path.parent).free
        raise DataError(
            f"{path} must fit on its disk, but that is full ({free:,} bytes left): free some "
            "space, or move the results to a larger disk, and run again"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_json(record: Any, path: str | Path) -> None:
    """Write one record as sorted JSON, atomically; NaN is refused because JSON has none."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(record, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read one JSON record; raise DataError naming the file when it is absent or damaged."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise DataError(
            f"{path} must exist, but there is no such file: run the rule that writes it"
        ) from None
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path} must be valid JSON, but {error}: delete it and rerun the rule that writes it"
        ) from error


def file_sha256(path: str | Path) -> str:
    """Return the sha256 of a file as 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def source_digest(*patterns: str) -> str:
    """Return a digest of package sources: a rule param, as Snakemake does not watch imports."""
    digest = hashlib.sha256()
    for pattern in patterns:
        paths = sorted(PACKAGE.glob(pattern))
        if not paths:
            raise DataError(
                f"source pattern must match a file of mixlaws/, got {pattern!r}, which matches none"
            )
        for path in paths:
            digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def versions(*packages: str) -> dict[str, str]:
    """Return the installed version of each named package, and Python's."""
    found = {name: metadata.version(name) for name in packages}
    return {"python": ".".join(map(str, sys.version_info[:3]))} | found
