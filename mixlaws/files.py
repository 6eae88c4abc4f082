"""Files: atomic writes, JSON, sha256."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mixlaws.errors import DataError

FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


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
        if error.errno not in FULL_DISK:
            raise
        free = shutil.disk_usage(path.parent).free
        raise DataError(
            f"The disk of {path} is full ({free:,} bytes left). Free some space, or move the "
            "results to a larger disk, and run again."
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
        raise DataError(f"There is no file {path}. Run the rule that writes it.") from None
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path} is corrupt: {error}. Delete it and rerun the rule that writes it."
        ) from error


def file_sha256(path: str | Path) -> str:
    """Return the sha256 of a file as 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
