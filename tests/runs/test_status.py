"""Progress lines and what `mixlaws status` makes of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mixlaws.config.complete import read_sections
from mixlaws.presentation import format_duration
from mixlaws.runs.lock import locked
from mixlaws.runs.progress import Progress, device_seconds, read_progress
from mixlaws.runs.status import describe, find_runs

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config():
    return read_sections(yaml.safe_load((ROOT / "tests/workflow/smoke.yaml").read_text()))


def write_progress(folder, rows):
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps({"num_steps": 60, "num_devices": 1, "device": "cpu", "time": 0.0} | row)
        for row in rows
    ]
    (folder / "progress.jsonl").write_text("\n".join(lines) + "\n")


def test_durations_are_readable():
    assert format_duration(59.6) == "0:01:00"
    assert format_duration(90_061) == "25:01:01"


def test_the_hours_of_all_attempts_count_times_their_devices(tmp_path):
    rows = [
        {"attempt": 1.0, "event": "start", "step": 0, "seconds": 0.0},
        {"attempt": 1.0, "event": "saved", "step": 30, "seconds": 40.0},
        {"attempt": 2.0, "event": "start", "step": 30, "seconds": 0.0, "num_devices": 4},
        {"attempt": 2.0, "event": "end", "step": 60, "seconds": 10.0, "num_devices": 4},
    ]
    write_progress(tmp_path, rows)
    with (tmp_path / "progress.jsonl").open("a") as file:
        file.write('{"attempt": 3.0, "ev')  # cut short by a kill
    assert device_seconds(read_progress(tmp_path / "progress.jsonl")) == 40 + 4 * 10


def test_an_evaluation_is_a_line_with_its_rate_and_what_is_left(tmp_path, capsys):
    progress = Progress(tmp_path / "progress.jsonl", 100, 1000, 1, "cpu")
    progress.start(20)
    progress._clock -= 10.0
    progress.report(60, 2.5)
    said = capsys.readouterr().out
    assert said.startswith("step 60 of 100: mean validation loss 2.5000, ")
    assert said.endswith("0:00:10 left\n")
    row = read_progress(progress.path)[-1]
    assert row["tokens_per_second"] == pytest.approx(4000, rel=0.01)
    assert (row["event"], row["step"], row["tokens"], row["loss"]) == (
        "evaluation",
        60,
        60_000,
        2.5,
    )


def test_a_line_without_room_is_told_and_lost(capsys):
    Progress(Path("/dev/full"), 100, 1000, 1, "cpu").note("saved", 3)
    assert "cannot write /dev/full: [Errno 28] No space left" in capsys.readouterr().out


def test_the_whole_sweep_is_shown_with_hours_spent_and_left(config, tmp_path, monkeypatch):
    results = tmp_path / "smoke"
    done = results / "runs/2K/mix-001/seed-0"
    done.mkdir(parents=True)
    record = {"tokens_per_second_training": 1000.0, "device_seconds_of_all_attempts": 7200.0}
    (done / "timing.json").write_text(json.dumps(record))
    rows = [
        {"attempt": 1.0, "event": "start", "step": 0, "seconds": 0.0},
        {"attempt": 1.0, "event": "saved", "step": 30, "seconds": 3600.0, "tokens_per_second": 500},
    ]
    write_progress(results / "checkpoints/2K/mix-002/seed-0", rows)
    running = results / "checkpoints/3K/uniform/seed-0"
    write_progress(running, [rows[0]])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-0123456789,GPU-abcdef0123")
    monkeypatch.setattr("socket.gethostname", lambda: "node7")
    with locked(running):
        found = {(r.size, r.mixture): r for r in find_runs(config, tmp_path)}
        text = describe(config, tmp_path)
    assert len(found) == 2 * 6 + 2
    assert found["2K", "mix-001"].state == "done"
    assert found["2K", "mix-002"].state == "stopped"
    assert found["2K", "mix-002"].tokens_left == 60 * 256 / 2
    assert found["3K", "uniform"].state == "running"
    assert found["7K", "optimum"].state == "waiting"
    assert "smoke: 14 runs" in text
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line[:1].isdigit()}
    assert lines["2K"][1:6] == ["1", "0", "1", "4", "3.00"]
    # Half a run and four whole ones at the median measured rate.
    assert float(lines["2K"][6]) == pytest.approx(4.5 * 15_360 / 750 / 3600, abs=0.005)
    place = "node7 (GPU-01234567, GPU-abcdef01)"
    assert f"running: 3K uniform seed 0 on {place}, step 0 of 60, unknown left" in text


def test_status_is_a_command_with_errors_of_one_line(tmp_path):
    command = [sys.executable, "-m", "mixlaws", "status"]
    arguments = ["--configfile", "tests/workflow/smoke.yaml", "--directory", str(tmp_path)]
    found = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert "smoke: 14 runs" in found.stdout
    wrong = subprocess.run(
        [*command, "--configfile", "none.yaml"], cwd=ROOT, capture_output=True, text=True
    )
    assert wrong.returncode == 1
    assert wrong.stderr == "there is no config file none.yaml. Name one with --configfile\n"
