"""Progress lines and what `mixlaws status` makes of them."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from mixlaws.__main__ import main
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


ATTEMPT = {"attempt": 1.0, "event": "start", "step": 0, "seconds": 0.0}


def finish(results, size, mixture, loss):
    """Write what a run leaves that is done: 2 device-hours at 1,000 tokens/s."""
    folder = results / "runs" / size / mixture / "seed-0"
    folder.mkdir(parents=True)
    record = {"tokens_per_second_training": 1000.0, "device_seconds_of_all_attempts": 7200.0}
    (folder / "timing.json").write_text(json.dumps(record))
    last = ATTEMPT | {"event": "evaluation", "step": 60, "loss": loss}
    write_progress(results / "checkpoints" / size / mixture / "seed-0", [ATTEMPT, last])


def write_log(results, run, *lines):
    path = results / "logs" / f"train_proxy/{run}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


@pytest.fixture
def sweep(tmp_path):
    """Write a results folder with runs that are done, stopped and failed; return it."""
    results = tmp_path / "smoke"
    finish(results, "2K", "held-001", 4.25)
    finish(results, "2K", "mix-001", 4.5)
    half = {"event": "saved", "step": 30, "seconds": 3600.0, "tokens_per_second": 500}
    write_progress(results / "checkpoints/2K/mix-002/seed-0", [ATTEMPT, ATTEMPT | half])
    write_log(results, "2K/mix-002/seed-0", "step 30 of 60", "ended by signal 15 after step 30")
    write_log(
        results,
        "3K/mix-001/seed-0",
        "step 10 of 60: mean validation loss 5.0",
        "TrainingError: the loss diverged at step 12. Lower training.learning_rate:",
        "  - 0.0024",
    )
    return results


def test_the_whole_sweep_is_shown_with_hours_spent_and_left(config, sweep, monkeypatch):
    running = sweep / "checkpoints/3K/uniform/seed-0"
    now = {"event": "evaluation", "step": 15, "loss": 4.75, "tokens_per_second": 250}
    write_progress(running, [ATTEMPT, ATTEMPT | now | {"time": time.time()}])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-0123456789,GPU-abcdef0123")
    monkeypatch.setattr("socket.gethostname", lambda: "node7")
    with locked(running):
        runs = find_runs(config, sweep.parent)
        text = describe(config, runs)
    states = {(run.size, run.mixture): run.state for run in runs}
    assert len(states) == 2 * 6 + 2
    assert states["2K", "mix-001"] == "done"
    assert states["2K", "mix-002"] == "stopped"
    assert states["3K", "mix-001"] == "failed"
    assert states["3K", "uniform"] == "running"
    assert states["7K", "optimum"] == "waiting"
    assert text.splitlines() == [
        "smoke: 14 runs: 2 done, 1 running, 1 failed, 1 stopped, 9 waiting",
        "",
        "size            done  running   failed  stopped  waiting"
        "  hours spent   left  loss of done runs",
        # Three and a half runs of 15,360 tokens at 1,000 tokens/s.
        "2K                 2        0        0        1        3         5.00   0.01"
        "  4.250 to 4.500",
        # Five and three quarters at 250 tokens/s.
        "3K                 0        1        1        0        4         0.00   0.10  -",
        "7K                 0        0        0        0        2         0.00   0.00  -",
        "",
        "running: 3K uniform seed 0 on node7 (GPU-01234567, GPU-abcdef01), step 15 of 60, "
        "0:00:46 left, 250 tokens/s, loss 4.750",
        "",
        "failed: 3K mix-001 seed 0: TrainingError: the loss diverged at step 12. Lower "
        "training.learning_rate:",
        "",
        "device-hours: 5.00 spent, 0.11 left; 0:06:47 at 1 at a time; 250 tokens/s now",
    ]


def test_a_run_that_trains_again_is_not_failed_any_more(config, sweep):
    folder = sweep / "checkpoints/3K/mix-001/seed-0"
    with locked(folder):
        states = {(r.size, r.mixture): r.state for r in find_runs(config, sweep.parent)}
    assert states["3K", "mix-001"] == "running"


def test_what_does_not_fit_is_counted(config, sweep):
    for mixture in ("mix-002", "mix-003", "uniform"):
        write_log(sweep, f"3K/{mixture}/seed-0", "torch.OutOfMemoryError: no room")
    lines = describe(config, find_runs(config, sweep.parent), num_lines=1).splitlines()
    assert lines[7].startswith("failed: 3K mix-001 seed 0: TrainingError")
    assert lines[8] == "and 3 more"


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


@pytest.mark.parametrize(
    "path",
    sorted({*(ROOT / "experiments").glob("*.yaml")} - {ROOT / "experiments/continual.yaml"}),
    ids=lambda p: p.stem,
)
def test_the_status_of_every_shipped_experiment_is_known(path, tmp_path, capsys, monkeypatch):
    for more in ([], ["--watch"]):
        arguments = ["status", "--configfile", str(path), "--directory", str(tmp_path), *more]
        monkeypatch.setattr("sys.argv", ["mixlaws", *arguments])
        monkeypatch.setattr("time.sleep", stop_watching)
        assert main() == 0
        assert capsys.readouterr().out.startswith(f"{path.stem}: ")


def test_the_status_of_a_continuation_needs_its_base(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = ROOT / "experiments/continual.yaml"
    monkeypatch.setattr("sys.argv", ["mixlaws", "status", "--configfile", str(path)])
    assert main() == 1
    assert capsys.readouterr().err == (
        "training.initial: continual_base has no tokenizer yet, results/continual_base/tokens/"
        "tokenizer.json is missing. Run the experiment continual_base first\n"
    )


def stop_watching(_):
    raise KeyboardInterrupt
