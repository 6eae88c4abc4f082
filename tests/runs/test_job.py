"""A task of a job array becomes its own job's command."""

import base64
import json
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from mixlaws.runs.job import OPTION, own_command

COMMANDS = {"2": "echo the second", "3": "echo the third; exit 5"}
PAYLOAD = base64.b64encode(
    json.dumps({k: zlib.compress(v.encode()).hex() for k, v in COMMANDS.items()}).encode()
).decode()


def task(number):
    return {"SLURM_ARRAY_TASK_ID": number, "SLURM_ARRAY_TASK_MIN": "1"}


@pytest.mark.parametrize("option", [[f"{OPTION}={PAYLOAD}"], [OPTION, PAYLOAD]])
def test_each_later_task_finds_its_own_command(option):
    arguments = ["snakemake", "--executor", "slurm-jobstep", *option]
    assert own_command(arguments, task("2")) == "echo the second"
    assert own_command(arguments, task("1")) is None
    assert own_command(arguments, {}) is None
    # The inner Snakemake of a task has no such option: it does its job.
    assert own_command(arguments[:3], task("2")) is None


def test_the_task_ends_with_its_commands_status():
    code = "import sys; from mixlaws.arrays import become_own_task; become_own_task(sys.argv)"
    result = subprocess.run(
        [sys.executable, "-c", code, OPTION, PAYLOAD],
        cwd=Path(__file__).parents[2],
        env=task("3"),
        capture_output=True,
        text=True,
    )
    assert (result.stdout, result.returncode) == ("the third\n", 5)
