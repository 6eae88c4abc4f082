"""The SLURM job that a process belongs to."""

from __future__ import annotations

import os


def job_name() -> str:
    """Return this process's SLURM job as scancel and squeue take it, "" outside one."""
    return os.environ.get("SLURM_JOB_ID", "")
