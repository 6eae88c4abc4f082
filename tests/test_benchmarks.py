"""The benchmarks run: what needs hardware is checked at toy size."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_the_gpu_harness_runs_at_toy_size(root):
    found = subprocess.run(
        [sys.executable, "benchmarks/gpu.py", "--small"], cwd=root, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr[-3000:]
    assert "| tiny | " in found.stdout
    assert "standard deviation between seeds: " in found.stdout
    assert "resumed at step 6 of 12: losses differ by at most 0.0e+00" in found.stdout


@pytest.mark.slow
def test_the_loops_are_compared_side_by_side(root):
    command = [sys.executable, "benchmarks/training.py", "--rounds", "1", "--steps", "2"]
    found = subprocess.run([*command, "--shape", "1M"], cwd=root, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr[-3000:]
    rows = [line.split("|") for line in found.stdout.splitlines() if line.startswith("| 1M")]
    assert [row[2].strip() for row in rows] == ["ours", "bare loop"]
    assert 0.3 < float(rows[1][5]) < 3
