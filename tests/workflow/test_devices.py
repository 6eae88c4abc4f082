"""Snakemake on a machine with GPUs, which here are names in an environment variable."""

import json
import shutil
import subprocess

import pytest
from workflow_project import copy_project


@pytest.mark.slow
def test_two_snakemakes_share_one_device(smoke, tmp_path, monkeypatch):
    """Two experiments at once, two jobs each: no two runs are ever on the device together."""
    monkeypatch.setenv("MIXLAWS_DEVICES", "GPU-aaaa")
    monkeypatch.setenv("MIXLAWS_DEVICE_LOCKS", str(tmp_path / "locks"))
    projects = [copy_project(tmp_path / name) for name in ("one", "two")]
    runs = [f"results/smoke/runs/2K/mix-00{number}/seed-0/losses.csv" for number in (1, 2, 3)]
    commands = []
    for project in projects:
        shutil.copytree(smoke.results / "tokens", project.results / "tokens")
        commands.append(
            subprocess.Popen(
                # No metadata came with the tokens: Snakemake takes the files as they are.
                project.command("--rerun-triggers", "mtime", "--", *runs),
                cwd=project.folder,
                env=project.environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    for command in commands:
        printed, _ = command.communicate(timeout=600)
        assert command.returncode == 0, printed[-6000:]
    spans = [span_of(path) for path in tmp_path.rglob("progress.jsonl")]
    assert len(spans) == 2 * len(runs)
    for (_, ended), (began, _) in zip(sorted(spans), sorted(spans)[1:], strict=False):
        assert ended <= began


def span_of(progress):
    """Return when a run began and ended to train."""
    rows = [json.loads(line) for line in progress.read_text().splitlines()]
    assert {row["event"] for row in rows} >= {"start", "end"}
    return rows[0]["time"], rows[-1]["time"]


def test_devices_change_no_plan(fresh, monkeypatch):
    monkeypatch.delenv("MIXLAWS_DEVICES", raising=False)
    without = fresh.planned()
    monkeypatch.setenv("MIXLAWS_DEVICES", "GPU-aaaa,GPU-bbbb")
    assert fresh.planned() == without
    assert fresh.planned("--resources", "gpu=1") == without
    assert without["train_proxy"] == 12
