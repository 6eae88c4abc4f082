"""A plan of 10,000 runs takes seconds and little memory, also on a login node."""

import resource
import subprocess

import pytest


@pytest.mark.full
@pytest.mark.slow
def test_planning_ten_thousand_runs(fresh):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = fresh.command("--dry-run", "--quiet", "host", config="tests/workflow/scale.yaml")
    planned = subprocess.run(command, cwd=fresh.folder, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    jobs = dict(line.split() for line in planned.stdout.splitlines() if len(line.split()) == 2)
    assert jobs["train_proxy"] == "10000"
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{seconds:.0f} CPU seconds, {after.ru_maxrss / 1024:.0f} MiB")
    assert seconds < 60
    assert after.ru_maxrss < 1024 * 1024  # KiB
