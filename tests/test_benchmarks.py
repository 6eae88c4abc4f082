"""The benchmarks run; those that need special hardware run at toy size."""

import json
import subprocess
import sys

import pytest

# What the machine of a GPU need not have.
ABSENT = ("snakemake", "pydantic", "datasets", "rensa", "simpleeval", "pooch", "jsonschema")


@pytest.mark.slow
def test_the_gpu_harness_runs_at_toy_size(root, tmp_path):
    code = f"""
import runpy, sys
sys.modules.update(dict.fromkeys({ABSENT}))
sys.argv = ["gpu.py", "--small", "--output", {str(tmp_path / "gpu.json")!r}]
runpy.run_path("benchmarks/gpu.py", run_name="__main__")
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr[-3000:]
    report = json.loads((tmp_path / "gpu.json").read_text())
    assert "left_out" not in report, report["left_out"]
    rows = {row["part"]: row for row in report["rows"]}
    assert rows["speed"]["over_bare_loop"] > 0
    assert abs(rows["precision"]["difference"]) < 0.1
    assert rows["resume"]["resumed_at"] == 6
    assert rows["resume"]["bit_equal"]
    assert rows["sharing"]["runs_at_once"] == 2
    assert rows["large"]["tokens_per_second"] > 0
    assert rows["profile"]["share"] > 0
    assert "| speed | tiny | " in found.stdout


@pytest.mark.slow
def test_the_gpu_harness_leaves_out_what_does_not_fit(root, tmp_path):
    output = tmp_path / "gpu.json"
    command = [sys.executable, "benchmarks/gpu.py", "--small", "--minutes", "0"]
    found = subprocess.run([*command, "--output", output], cwd=root, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr[-3000:]
    assert "left out: speed tiny: takes about 40 s, but" in found.stdout
    assert "rows" not in json.loads(output.read_text())


@pytest.mark.slow
def test_the_loops_are_compared_side_by_side(root):
    command = [sys.executable, "benchmarks/training.py", "--rounds", "1", "--steps", "2"]
    found = subprocess.run([*command, "--shape", "1M"], cwd=root, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr[-3000:]
    rows = [line.split("|") for line in found.stdout.splitlines() if line.startswith("| 1M")]
    assert [row[2].strip() for row in rows] == ["ours", "bare loop"]
    assert 0.3 < float(rows[1][5]) < 3
