"""A run on several processes starts them itself, once, inside a job."""

import os
import sys

import pytest

from mixlaws.errors import ConfigError
from mixlaws.training.execution import Execution, start_processes

EIGHT = Execution(devices=4, num_nodes=2, launcher="srun", num_threads=3)


@pytest.fixture
def started(monkeypatch):
    """Return what would have been executed."""
    calls = []
    monkeypatch.setattr(os, "execvp", lambda *call: calls.append(call))
    monkeypatch.setattr(sys, "argv", ["train_proxy.py"])
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("MIXLAWS_STARTED_BY_SRUN", "")
    monkeypatch.delenv("MIXLAWS_STARTED_BY_SRUN")
    return calls


def test_srun_starts_one_process_per_device_at_the_same_script(started):
    start_processes(EIGHT)
    ((program, command),) = started
    assert program == "srun"
    assert command[:4] == ["srun", "--nodes=2", "--ntasks=8", "--ntasks-per-node=4"]
    assert command[4:] == [
        "--kill-on-bad-exit=1",
        "--cpus-per-task=3",
        sys.executable,
        "train_proxy.py",
    ]
    start_processes(EIGHT)  # each process comes here again
    assert len(started) == 1


@pytest.mark.parametrize(
    "execution", [Execution(), Execution(devices=2), Execution(launcher="srun")]
)
def test_nothing_is_started_otherwise(started, execution):
    start_processes(execution)
    assert started == []


@pytest.mark.usefixtures("started")
def test_outside_a_job_is_an_error(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID")
    with pytest.raises(ConfigError, match=r"this process is not in a SLURM job"):
        start_processes(EIGHT)
