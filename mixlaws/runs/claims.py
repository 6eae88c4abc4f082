"""Share the GPUs of one machine among its training jobs, where no scheduler does.

Each job claims its devices before it starts torch. A claim is a `flock` on a file in a folder of
the machine, so that the kernel frees it when the process ends, however it ends. The folder is open
to all users: their jobs share the same devices. filelock, which a run's lock uses, refuses another
user's file in such a folder.

A run of which n fit on a device claims 1 / n of it. The parts claimed of a device never exceed 1,
also where experiments with different numbers share it.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from mixlaws.errors import ConfigError
from mixlaws.runs.visible_devices import VISIBLE, visible_devices

FOLDER = "MIXLAWS_DEVICE_LOCKS"
"""Names another folder for the locks."""
DEFAULT_FOLDER = "/tmp/mixlaws-devices"  # not TMPDIR, which differs between users
POLL_SECONDS = 1.0
_GUARD = "guard"


@dataclass(frozen=True)
class _Device:
    """How much of a device is claimed, and where the next claim goes."""

    name: str
    used: Fraction
    free_slot: Path
    holders: tuple[str, ...]


@contextmanager
def claimed(count: int, *, runs_per_device: int, run: str) -> Iterator[tuple[str, ...]]:
    """Claim `count` of the visible devices, all at once, and show the block no others.

    Waits until they are free and says so. Yields their names; none where no device is known, and
    then changes nothing. Raises ConfigError when fewer devices are visible than asked for.
    """
    devices = visible_devices()
    if not devices:
        yield ()
        return
    if count > len(devices):
        raise ConfigError(
            f"{run} needs {count} devices, and this machine shows it {len(devices)} "
            f"({', '.join(devices)}). Lower training.devices (confirmation.devices for the "
            f"target), or let {VISIBLE} name more"
        )
    share, began = Fraction(1, runs_per_device), time.monotonic()
    taken = _take(devices, count, share, run)
    if not taken:
        print(_waiting_for(devices, count), flush=True)
    while not taken:
        time.sleep(POLL_SECONDS)
        taken = _take(devices, count, share, run)
    seconds = time.monotonic() - began
    print(f"claimed {', '.join(taken)} after {seconds:,.0f} s", flush=True)
    before = os.environ.get(VISIBLE)
    os.environ[VISIBLE] = ",".join(taken)
    try:
        yield tuple(taken)
    finally:
        os.environ.pop(VISIBLE)
        if before is not None:
            os.environ[VISIBLE] = before
        for descriptor in taken.values():
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a forked process may share the descriptor
            os.close(descriptor)


def _take(devices: Sequence[str], count: int, share: Fraction, run: str) -> dict[str, int]:
    """Return the open, locked files of `count` devices by name; {} while too few are free.

    The least used devices come first. Only one process looks and takes at a time: all or none of
    its devices, so that two jobs never wait for each other.
    """
    with _guarded() as folder:
        found = [_look(folder, name) for name in devices]
        free = sorted((d for d in found if d.used + share <= 1), key=lambda d: d.used)
        if len(free) < count:
            return {}
        return {device.name: _hold(device.free_slot, share, run) for device in free[:count]}


def _waiting_for(devices: Sequence[str], count: int) -> str:
    with _guarded() as folder:
        used = [_look(folder, name) for name in devices]
    holders = "; ".join(f"{d.name} by {' and '.join(d.holders)}" for d in used if d.holders)
    return f"waiting for {count} of {len(devices)} devices to be free. In use: {holders or 'none'}"


@contextmanager
def _guarded() -> Iterator[Path]:
    """Hold the folder's guard, which every look at the claims needs."""
    folder = Path(os.environ.get(FOLDER, DEFAULT_FOLDER))
    with _open_to_all(), suppress(FileExistsError):
        folder.mkdir(mode=0o1777)
    descriptor = _open(folder / _GUARD)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(descriptor)


def _look(folder: Path, name: str) -> _Device:
    """Return what is claimed of a device, from its slots: NAME.0, NAME.1, ..."""
    stem = re.sub(r"[^\w-]", "_", name)
    used, holders, free, slot = Fraction(0), [], None, 0
    while (path := folder / f"{stem}.{slot}").exists():
        if owner := _owner_of(path):
            used += Fraction(1, owner["runs_per_device"])
            holders.append(f"{owner['run']} (process {owner['pid']})")
        else:
            free = free or path
        slot += 1
    return _Device(name, used, free or path, tuple(holders))


def _owner_of(path: Path) -> dict[str, Any] | None:
    """Return who holds a slot, None if nobody does."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return dict(json.loads(os.read(descriptor, 4096)))
    finally:
        os.close(descriptor)
    return None


def _hold(path: Path, share: Fraction, run: str) -> int:
    """Lock a slot, write who holds it, and return its open file."""
    descriptor = _open(path)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    owner = {"run": run, "pid": os.getpid(), "runs_per_device": share.denominator}
    os.ftruncate(descriptor, 0)
    os.write(descriptor, json.dumps(owner).encode())
    return descriptor


def _open(path: Path) -> int:
    """Open a file of the folder, whoever made it, or make one that every user may open.

    Linux refuses to open another user's file in a folder like /tmp with O_CREAT.
    """
    flags = os.O_RDWR | os.O_NOFOLLOW
    with _open_to_all():
        for more in (0, os.O_CREAT | os.O_EXCL, 0):
            with suppress(FileNotFoundError, FileExistsError):
                return os.open(path, flags | more, 0o666)
    raise FileNotFoundError(path)


@contextmanager
def _open_to_all() -> Iterator[None]:
    """Give new files the permissions that they are made with."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)
