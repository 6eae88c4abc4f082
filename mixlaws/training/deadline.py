"""End a training job in good order before its scheduler ends it: the state is saved, not lost.

`sbatch --signal` cannot do this here: it also reaches the Snakemake inside the job, which SIGUSR1
kills. So the training process asks for its own end, and sends itself the signal that it traps.
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
"""Of the time left at the start, where that is less: a short job must still do something."""
_NO_LIMIT = ("UNLIMITED", "NOT_SET")
_TIME_LEFT = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)")


def seconds_left(text: str) -> float | None:
    """Return the seconds of squeue's "days-hours:minutes:seconds", None where there is no limit.

    Raises ValueError for anything else.
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
            f"the end of job {job} is unknown ({error}): the state is saved at intervals only",
            flush=True,
        )
        return None


def end_before_limit() -> threading.Timer | None:
    """Send this process SIGTERM shortly before its job's time limit; return the waiting timer."""
    left = ask_for_time_left()
    if left is None:
        return None
    wait = max(0.0, left - min(MARGIN_SECONDS, MARGIN_SHARE * left))
    print(f"{left:,.0f} s until the job's time limit: ends itself after {wait:,.0f} s", flush=True)
    timer = threading.Timer(wait, os.kill, (os.getpid(), signal.SIGTERM))
    timer.daemon = True
    timer.start()
    return timer
