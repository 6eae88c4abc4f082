"""Save a run's state shortly before its scheduler ends the job.

`sbatch --signal` does not work here: it also signals the Snakemake inside the job, which SIGUSR1
kills. Instead the training process asks SLURM for the time left and signals itself.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading

from mixlaws.runs.job import job_name

MARGIN_SECONDS = 120.0
MARGIN_SHARE = 0.1
"""Share of the time left at the start; used where it is less than MARGIN_SECONDS."""
_NO_LIMIT = ("UNLIMITED", "NOT_SET")
_TIME_LEFT = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)")


def seconds_left(text: str) -> float | None:
    """Return the seconds of squeue's "days-hours:minutes:seconds", None where there is no limit.

    Raises ValueError for any other answer.
    """
    answer = text.strip()
    if answer in _NO_LIMIT:
        return None
    match = _TIME_LEFT.fullmatch(answer)
    if match is None:
        raise ValueError(f"squeue says {answer!r}")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60.0 + seconds


def ask_for_time_left() -> float | None:
    """Return the seconds until SLURM ends this job, None outside a job or without a limit."""
    job = job_name()
    if not job:
        return None
    command = ["squeue", "--noheader", "--format=%L", f"--jobs={job}"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return seconds_left(answer.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        print(
            f"cannot tell when job {job} ends ({error}): the state is saved at intervals only",
            flush=True,
        )
        return None


def end_before_limit() -> threading.Timer | None:
    """Send this process SIGTERM shortly before its job's time limit; return the waiting timer."""
    left = ask_for_time_left()
    if left is None:
        return None
    wait = max(0.0, left - min(MARGIN_SECONDS, MARGIN_SHARE * left))
    print(
        f"the job's time limit is in {left:,.0f} s: the run saves and stops in {wait:,.0f} s",
        flush=True,
    )
    timer = threading.Timer(wait, os.kill, (os.getpid(), signal.SIGTERM))
    timer.daemon = True
    timer.start()
    return timer
