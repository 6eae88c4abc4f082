"""Find and suspend processes of a run, only those in the test's own working copy."""

import contextlib
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path


def wait_until(true, what, seconds=120.0, pause=0.02):
    """Wait until `true()` returns something true, and return it; fail naming `what`."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(pause)
    return found


def alive(pid):
    """Tell whether a process exists and is no zombie."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    return False


def scripts_in(folder):
    """Return the ids of the processes that run a rule's script in this working copy."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            arguments = path.read_bytes().split(b"\0")
            here = f"{folder}/.snakemake/scripts/".encode()
            python = b"python" in arguments[0]
            if python and any(argument.startswith(here) for argument in arguments[1:]):
                found.append(int(path.parent.name))
    return found


@dataclass(frozen=True)
class Training:
    """A training process that holds its run's lock."""

    pid: int
    job: str
    folder: Path

    def stop(self):
        """Suspend the process."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self):
        """Continue the process."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)

    def step(self):
        """Return the step of its newest saved state, -1 without one."""
        return max((int(p.stem[5:]) for p in self.folder.glob("step-*.json")), default=-1)


def trainings(project, under="*"):
    """Return the living training processes that have saved a state."""
    found = []
    for path in sorted(project.results.glob(f"checkpoints/{under}/**/owner.json")):
        with contextlib.suppress(OSError, ValueError):
            owner = json.loads(path.read_text())
            training = Training(owner["pid"], owner["job"], path.parent)
            if alive(training.pid) and training.step() >= 0:
                found.append(training)
    return found


def freeze_one(project, under="*", other_than=(), seconds=900.0, where=lambda _: True):
    """Suspend a training process, for which `where` is true, in the middle of its run."""

    def caught():
        for training in trainings(project, under):
            if training.folder in {other.folder for other in other_than}:
                continue
            with contextlib.suppress(ProcessLookupError):
                training.stop()
                if training in trainings(project, under) and where(training):
                    return training
                training.go_on()
        return None

    return wait_until(caught, "a training process in mid-run", seconds, pause=0.005)
