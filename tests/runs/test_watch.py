"""`mixlaws status --watch`: it refreshes until all runs are done."""

import io
import json
from pathlib import Path

import pytest
import yaml

from mixlaws.config.complete import read_sections
from mixlaws.runs.status import find_runs
from mixlaws.runs.watch import watch

ROOT = Path(__file__).parents[2]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def config():
    return read_sections(yaml.safe_load((ROOT / "tests/workflow/smoke.yaml").read_text()))


@pytest.fixture
def naps(config, tmp_path, monkeypatch):
    """Finish one more run at every other nap; return the naps so far."""
    folders = [f"runs/{r.size}/{r.mixture}/seed-0" for r in find_runs(config, tmp_path)]
    folders[-2:] = ["confirmation/optimum/seed-0", "confirmation/uniform/seed-0"]
    record = {"tokens_per_second_training": 1000.0, "device_seconds_of_all_attempts": 36.0}
    taken = []

    def nap(seconds):
        taken.append(seconds)
        if len(taken) % 2 == 0:
            folder = tmp_path / "smoke" / folders.pop(0)
            folder.mkdir(parents=True)
            (folder / "timing.json").write_text(json.dumps(record))

    monkeypatch.setattr("time.sleep", nap)
    return taken


def test_it_ends_when_all_runs_are_done_and_prints_only_changes(config, tmp_path, naps):
    output = io.StringIO()
    watch(config, tmp_path, every_seconds=3, output=output)
    assert naps == [3] * 2 * 14
    heads = [line for line in output.getvalue().splitlines() if line.startswith("smoke: ")]
    assert len(heads) == 15
    assert heads[0] == "smoke: 14 runs: 0 done, 0 running, 0 failed, 0 stopped, 14 waiting"
    assert heads[-1] == "smoke: 14 runs: 14 done, 0 running, 0 failed, 0 stopped, 0 waiting"
    assert output.getvalue().endswith("device-hours: 0.14 spent, 0.00 left\n")


@pytest.mark.usefixtures("naps")
def test_a_terminal_is_redrawn_in_place_and_never_too_wide(config, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "20")
    output = Terminal()
    watch(config, tmp_path, output=output)
    frames = output.getvalue().split("\x1b[H")[1:]
    assert len(frames) == 2 * 14 + 1
    for frame in frames:
        assert frame.endswith("\x1b[J")
        lines = frame.removesuffix("\x1b[J").splitlines()
        assert len(lines) <= 20
        assert all(line.endswith("\x1b[K") for line in lines)
        assert max(len(line.removesuffix("\x1b[K")) for line in lines) <= 60


def test_ctrl_c_ends_it_without_a_traceback(config, tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    output = io.StringIO()
    watch(config, tmp_path, output=output)
    assert output.getvalue().startswith("smoke: 14 runs: ")
