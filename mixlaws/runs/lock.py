"""A folder's lock: one process trains a run, and whoever else comes is told which one.

The kernel drops a lock with the process that holds it, so a kill leaves none behind. Where the file
system has no locks, the owner's name in the file still keeps an orphan from writing: it stops
as soon as it finds another name there.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mixlaws.errors import DataError
from mixlaws.runs.job import job_name

LOCK_NAME = "lock"
# A process that was told to end saves its state first; its successor may be here before that.
WAIT_SECONDS = 10.0
_POLL_SECONDS = 0.1
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@dataclass(frozen=True)
class Lock:
    """A held lock."""

    path: Path
    owner: dict[str, str | int]

    def check(self) -> None:
        """Raise DataError when another process has taken the run over."""
        found = _read_owner(self.path)
        if found != self.owner:
            raise DataError(
                f"{self.path.parent} must be written by one process, but {_words(found)} has "
                "taken this run over: nothing more is written from here"
            )


@contextmanager
def locked(folder: Path, *, wait_seconds: float = WAIT_SECONDS) -> Iterator[Lock]:
    """Hold a folder's lock, so that an orphaned job and its successor never write together.

    Raises DataError naming the process that holds it for longer than `wait_seconds`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK_NAME
    with path.open("a+") as file:
        _take(file, path, time.monotonic() + wait_seconds)
        owner: dict[str, str | int] = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "job": job_name(),
            "id": uuid.uuid4().hex,
        }
        file.truncate(0)
        file.write(json.dumps(owner))
        file.flush()
        yield Lock(path, owner)


def _take(file: IO[str], path: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise DataError(
                    f"{path.parent} must be used by one process, but {_words(_read_owner(path))} "
                    "is training this run: wait for it, or end it"
                ) from None
            time.sleep(_POLL_SECONDS)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            print(f"{path}: no locks on this file system; the newest process goes on alone")
            return
        else:
            return


def is_locked(folder: Path) -> bool:
    """Return whether a process trains the run of this folder now."""
    try:
        with (folder / LOCK_NAME).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _read_owner(path: Path) -> dict[str, str | int]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}


def _words(owner: dict[str, str | int]) -> str:
    if not owner:
        return "another process"
    job = f" (job {owner['job']})" if owner.get("job") else ""
    return f"process {owner.get('pid')} on {owner.get('host')}{job}"
