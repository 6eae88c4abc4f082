"""The GPUs that this process may use, each by a name that is the same for all processes."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
STATED = "MIXLAWS_DEVICES"
"""Names of the machine's devices by index, instead of what nvidia-smi lists; for tests."""
_UUID = re.compile(r"\(UUID: ((?:GPU|MIG)-[^)]+)\)")


def visible_devices() -> list[str]:
    """Return the devices that CUDA shows this process, in its order, without repeats.

    A device is named by its UUID, and by its index only where no tool tells UUIDs. A GPU that MIG
    divides counts as its parts. CUDA reads CUDA_VISIBLE_DEVICES up to the first wrong entry; so
    does this. Empty where there is no NVIDIA GPU and the variable is not set.
    """
    present = _present_devices()
    stated = os.environ.get(VISIBLE)
    if stated is None:
        return [name for names in present for name in names]
    found: list[str] = []
    for entry in stated.split(","):
        names = _names_of(entry.strip(), present)
        if not names:
            break
        found += names
    return list(dict.fromkeys(found))


def _names_of(entry: str, present: list[list[str]]) -> list[str]:
    """Return the devices that one entry of CUDA_VISIBLE_DEVICES names, [] if it is wrong."""
    if entry.isdecimal():
        if not present:
            return [str(int(entry))]
        return present[int(entry)] if int(entry) < len(present) else []
    if entry.startswith("MIG-"):
        return [entry]
    if not entry.startswith("GPU-"):
        return []
    # CUDA takes the beginning of a UUID too, if only one device has it.
    whole = [names for names in present if any(name.startswith(entry) for name in names)]
    if not present:
        return [entry]
    return whole[0] if len(whole) == 1 else []


def _present_devices() -> list[list[str]]:
    """Return the machine's GPUs by index, each as itself or, where MIG divides it, as its parts."""
    if stated := os.environ.get(STATED):
        return [[name.strip()] for name in stated.split(",")]
    try:
        listed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return [[str(index)] for index in range(_num_device_files())]
    return parse_list(listed)


def parse_list(listed: str) -> list[list[str]]:
    """Return the devices that `nvidia-smi -L` lists: a line for each GPU and, below, its parts."""
    found: list[list[str]] = []
    for name in _UUID.findall(listed):
        if name.startswith("GPU-"):
            found.append([name])
        elif found[-1][0].startswith("GPU-"):
            found[-1] = [name]
        else:
            found[-1].append(name)
    return found


def _num_device_files() -> int:
    """Return the number of NVIDIA's device files: what is known without nvidia-smi."""
    return sum(1 for path in Path("/dev").glob("nvidia*") if path.name[6:].isdecimal())
