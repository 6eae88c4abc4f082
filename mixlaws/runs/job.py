"""Let each task of a SLURM job array run, and be judged by, its own job.

In snakemake-executor-plugin-slurm 2.8.0 every task's outer Snakemake checks the outputs of the
array's first job (its issue 447): a task that ends before the first one fails, its results are
deleted, and the first one's with them. The task's own command stands in the outer Snakemake's
arguments. So an outer Snakemake that finds itself in a later task becomes that command, as soon
as it reads the Snakefile; the inner Snakemake checks the right outputs, and its status is the
task's.
"""

from __future__ import annotations

import base64
import json
import os
import zlib
from collections.abc import Mapping, Sequence

OPTION = "--slurm-jobstep-array-execs"


def job_name() -> str:
    """Return this process's SLURM job as scancel and squeue take it, "" outside one.

    The id alone stands for the whole array where a task has the array's own.
    """
    array, task = (os.environ.get(f"SLURM_ARRAY_{name}_ID") for name in ("JOB", "TASK"))
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID", "")


def own_command(arguments: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """Return the shell command of this array task; None outside one, and in an array's first."""
    task = environment.get("SLURM_ARRAY_TASK_ID")
    if task is None or task == environment.get("SLURM_ARRAY_TASK_MIN"):
        return None
    payload = None
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if argument == OPTION:
            payload = following
        elif argument.startswith(f"{OPTION}="):
            payload = argument.partition("=")[2]
    if payload is None:
        return None
    commands = json.loads(base64.b64decode(payload))
    return zlib.decompress(bytes.fromhex(commands[task])).decode()


def become_own_task(arguments: Sequence[str]) -> None:
    """Replace this process by the command of its array task, if it is the outer one of such."""
    command = own_command(arguments, os.environ)
    if command is not None:
        os.execv("/bin/sh", ["/bin/sh", "-c", command])
