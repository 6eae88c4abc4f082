"""The lock of a run's folder: one process trains a run, and any other learns which one.

The kernel frees the lock when its process ends, however it ends. Some file systems have no locks;
there the newest process goes on, and the owner's name in `owner.json` stops the older one: it reads
another name there before its next save.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from mixlaws.errors import DataError
from mixlaws.runs.job import job_name
from mixlaws.runs.visible_devices import VISIBLE

LOCK_NAME = "lock"
# A file of its own: filelock may empty the one that it locks.
OWNER_NAME = "owner.json"
# A process that was told to end saves its state first; its successor may already be here.
WAIT_SECONDS = 10.0
_POLL_SECONDS = 0.1
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}

Owner = dict[str, str | int]
"""Who holds a lock: host, pid, job (empty outside a cluster), devices (by name; empty on a CPU) and
an id of the process's own."""


@dataclass(frozen=True)
class Lock:
    """A held lock."""

    folder: Path
    owner: Owner

    def check(self) -> None:
        """Raise DataError when another process has taken the run over."""
        found = read_owner(self.folder)
        if found != self.owner:
            raise DataError(
                f"{describe_owner(found)} has taken over the run in {self.folder}. This process "
                "stops and writes nothing more"
            )


@contextmanager
def locked(folder: Path, *, wait_seconds: float = WAIT_SECONDS) -> Iterator[Lock]:
    """Hold a folder's lock, so that an orphaned job and its successor never write together.

    Raises DataError naming the process that holds it for longer than `wait_seconds`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK_NAME)
    _acquire(lock, folder, wait_seconds)
    try:
        owner: Owner = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "job": job_name(),
            "devices": os.environ.get(VISIBLE, ""),
            "id": uuid.uuid4().hex,
        }
        (folder / OWNER_NAME).write_text(json.dumps(owner))
        yield Lock(folder, owner)
    finally:
        lock.release()


def _acquire(lock: FileLock, folder: Path, wait_seconds: float) -> None:
    """Take the lock, or go on without one where the file system has none."""
    try:
        with warnings.catch_warnings():
            # Where flock is missing filelock warns and puts a marker in its place. The marker of a
            # job that was killed would stay: no lock is better.
            warnings.filterwarnings("error", message="flock not supported")
            lock.acquire(timeout=wait_seconds, poll_interval=_POLL_SECONDS)
        return
    except Timeout:
        raise DataError(
            f"{describe_owner(read_owner(folder))} is training the run in {folder}. Wait for it or "
            "end it"
        ) from None
    except (NotImplementedError, UserWarning):
        pass
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    print(f"{folder} is on a file system without locks: the newest process trains the run")


def is_locked(folder: Path) -> bool:
    """Return whether a process trains the run of this folder now.

    Asks for a shared lock, which filelock does not have: it disturbs nobody and needs no permission
    to write.
    """
    try:
        with (folder / LOCK_NAME).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def read_owner(folder: Path) -> Owner:
    """Return who last held a folder's lock, {} if nobody did."""
    try:
        return dict(json.loads((folder / OWNER_NAME).read_text()))
    except (OSError, ValueError):
        return {}


def describe_owner(owner: Owner) -> str:
    """Return a process as messages name it."""
    if not owner:
        return "Another process"
    job = f" (job {owner['job']})" if owner.get("job") else ""
    return f"Process {owner.get('pid')} on {owner.get('host')}{job}"
