"""A training job ends itself before its scheduler does."""

import os
import signal
import time

import pytest

from mixlaws.training.deadline import ask_for_time_left, end_before_limit, seconds_left


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3:58:12", 3 * 3600 + 58 * 60 + 12),
        ("2-01:00:05\n", 2 * 86400 + 3605),
        ("0:59", 59),
        ("00:09", 9),
        ("UNLIMITED", None),
        ("NOT_SET", None),
    ],
)
def test_squeues_time_left_in_seconds(text, seconds):
    assert seconds_left(text) == seconds


@pytest.mark.parametrize("text", ["INVALID", "", "4:00:00\n4:00:00"])
def test_another_answer_is_no_time(text):
    with pytest.raises(ValueError, match="squeue says"):
        seconds_left(text)


def answer(monkeypatch, folder, script):
    """Put a squeue on the path that does what the script says, and be job 17."""
    squeue = folder / "squeue"
    squeue.write_text(f"#!/bin/sh\n{script}\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "17")


def test_outside_a_job_nothing_is_asked(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert end_before_limit() is None


def test_the_job_asks_about_itself(monkeypatch, tmp_path):
    answer(monkeypatch, tmp_path, 'test "$3" = --jobs=17 && echo 4:00:00')
    assert ask_for_time_left() == 4 * 3600


def test_an_answer_that_is_not_understood_is_printed(monkeypatch, tmp_path, capfd):
    answer(monkeypatch, tmp_path, "echo 4:00:00; echo 3:59:59")
    assert end_before_limit() is None
    assert "cannot tell when job 17 ends (squeue says" in capfd.readouterr()[0]


def test_the_margin_is_two_minutes_or_a_tenth(monkeypatch, tmp_path, capfd):
    answer(monkeypatch, tmp_path, "echo 4:00:00")
    timer = end_before_limit()
    timer.cancel()
    assert timer.interval == 4 * 3600 - 120
    assert "time limit is in 14,400 s: the run saves and stops in 14,280 s" in capfd.readouterr()[0]
    answer(monkeypatch, tmp_path, "echo 1:00")
    timer = end_before_limit()
    timer.cancel()
    assert timer.interval == 54


def test_a_node_without_squeue_trains_on_and_says_so(monkeypatch, tmp_path, capfd):
    answer(monkeypatch, tmp_path, "exit 1")
    assert end_before_limit() is None
    assert "cannot tell when job 17 ends" in capfd.readouterr()[0]


def test_the_signal_comes(monkeypatch, tmp_path):
    answer(monkeypatch, tmp_path, "echo 0:01")
    seen = []
    earlier = signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    try:
        end_before_limit()
        deadline = time.monotonic() + 5
        while not seen and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        signal.signal(signal.SIGTERM, earlier)
    assert seen == [signal.SIGTERM]
