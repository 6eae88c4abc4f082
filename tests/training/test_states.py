"""Whatever ends a run, the same command goes on from there and ends with the same bits."""

import errno
import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import replace

import pytest
import torch
from test_train import RUN, losses, make_corpus

from mixlaws.errors import DataError
from mixlaws.provenance import log_to
from mixlaws.runs.lock import is_locked, locked
from mixlaws.runs.progress import read_progress
from mixlaws.training.states import States
from mixlaws.training.train import train, trained

# Long enough that kills at random moments meet every phase.
LONG = replace(RUN, num_steps=120)
OFTEN = {"every_seconds": 0}
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["torch", "lightning.pytorch"])


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    return losses(train(LONG, make_corpus(), checkpoints=tmp_path_factory.mktemp("a"), **OFTEN))


def train_in_child(folder, results, file_limit=None):
    """Train; at the end write the losses as JSON, to the last bit."""
    log_to(folder / "log")
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    result = train(LONG, make_corpus(), checkpoints=folder, **OFTEN)
    results.write_text(json.dumps({"losses": losses(result), "timing": result.timing}))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def start(folder, **options):
    child = PROCESSES.Process(
        target=train_in_child, args=(folder, folder.parent / "results.json"), kwargs=options
    )
    child.start()
    return child


def finish(folder):
    child = start(folder)
    child.join(120)
    assert child.exitcode == 0, (folder / "log").read_text()
    found = json.loads((folder.parent / "results.json").read_text())
    return [tuple(row) for row in found["losses"]], found["timing"]


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def saved_step(folder):
    steps = [path.stem.removeprefix("step-") for path in folder.glob("step-*.json")]
    return max(map(int, steps), default=0)


def kill_at_random(folder, num_kills, seed):
    """Start and SIGKILL so often, each at a moment of its own."""
    moments = random.Random(seed)
    for _ in range(num_kills):
        before = saved_step(folder)
        child = start(folder)
        goal = before + moments.randrange(0, 15)  # five of them end well before step 120
        wait_for(lambda child=child, goal=goal: saved_step(folder) >= goal or not child.is_alive())
        time.sleep(moments.random() * 0.02)
        os.kill(child.pid, signal.SIGKILL)
        child.join()


@pytest.mark.parametrize("seed", [0])
def test_five_kills_at_random_moments_leave_no_trace(folder, straight, seed):
    kill_at_random(folder, 5, seed)
    assert saved_step(folder) > 0
    resumed, timing = finish(folder)
    assert resumed == straight
    assert timing["first_step"] > 0
    assert [path.name for path in folder.glob("step-*")] == []


@pytest.mark.full
@pytest.mark.parametrize("seed", range(1, 11))
def test_fifty_kills_at_random_moments_leave_no_trace(folder, straight, seed):
    kill_at_random(folder, 5, seed)
    assert finish(folder)[0] == straight


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopping_signal_saves_and_ends_the_process(folder, straight, number, status):
    child = start(folder)
    wait_for(lambda: saved_step(folder) >= 5)
    os.kill(child.pid, number)
    child.join(60)
    assert child.exitcode == status
    assert f"ended by signal {int(number)} after step" in (folder / "log").read_text()
    step = saved_step(folder)
    resumed, timing = finish(folder)
    assert timing["first_step"] == step
    assert resumed == straight


def test_a_warning_signal_saves_and_trains_on(folder, straight):
    child = start(folder)
    wait_for(lambda: saved_step(folder) >= 5)
    os.kill(child.pid, signal.SIGUSR1)
    child.join(60)
    assert child.exitcode == 0
    found = json.loads((folder.parent / "results.json").read_text())["losses"]
    assert [tuple(row) for row in found] == straight


def interrupted(folder):
    """Leave the states of a run that was killed in the middle."""
    child = start(folder)
    wait_for(lambda: saved_step(folder) >= 5)
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    return sorted(folder.glob("step-*.ckpt"))


def test_the_last_two_states_are_kept_and_a_damaged_one_is_passed_over(folder, straight):
    interrupted(folder)
    older, newer = [p for p in sorted(folder.glob("*.ckpt")) if p.with_suffix(".json").exists()][
        -2:
    ]
    content = bytearray(newer.read_bytes())
    content[len(content) // 2] ^= 1
    newer.write_bytes(content)
    resumed, timing = finish(folder)
    log = (folder / "log").read_text()
    assert f"skipping a damaged state: {newer} (sha256" in log
    assert f"resuming from {older}" in log
    assert timing["first_step"] == int(older.stem.removeprefix("step-"))
    assert resumed == straight


def test_a_run_whose_states_are_all_damaged_is_refused_by_name(folder):
    for path in interrupted(folder):
        path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"states are damaged: .*step-.*sha256 .*\. Delete .*run"):
        train(LONG, make_corpus(), checkpoints=folder, **OFTEN)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 0.001}, r"differs in learning_rate \(0.0024 then, 0.001 now\)"),
        ({"seed": 3, "num_steps": 130}, r"seed \(0 then, 3 now\), num_steps \(120 then, 130 now\)"),
        ({"proportions": {"a": 0.5, "b": 0.5}}, r"proportions \(\{'a': 0.75, 'b': 0.25\} then"),
    ],
)
def test_the_state_of_another_run_is_refused_by_the_key_that_differs(folder, change, message):
    interrupted(folder)
    with pytest.raises(DataError, match=message):
        train(replace(LONG, **change), make_corpus(), checkpoints=folder, **OFTEN)


def test_a_state_of_another_version_of_training_is_refused(folder, monkeypatch):
    interrupted(folder)
    monkeypatch.setattr("mixlaws.training.train.TRAINING_VERSION", 99)
    with pytest.raises(DataError, match=r"differs in training_version \(1 then, 99 now\)"):
        train(LONG, make_corpus(), checkpoints=folder, **OFTEN)


def test_other_token_files_are_another_run(folder):
    interrupted(folder)
    with pytest.raises(DataError, match=r"differs in a/train \(0-4000 then, 0-5000 now\)"):
        train(LONG, make_corpus(5000), checkpoints=folder, **OFTEN)


def test_a_full_disk_leaves_the_earlier_states_valid(folder, straight):
    interrupted(folder)
    before = saved_step(folder)
    child = start(folder, file_limit=60_000)
    child.join(60)
    assert child.exitcode == 0
    log = (folder / "log").read_text()
    assert f"step-{before:09d}.ckpt is kept: [Errno {errno.EFBIG}]" in log
    found = json.loads((folder.parent / "results.json").read_text())["losses"]
    assert [tuple(row) for row in found] == straight


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_disk_without_a_byte_left_does_not_end_the_run(folder, straight):
    """Nothing is written but what has room already: no state, no progress, no line of the log."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], check=True)
    try:
        child = start(folder)
        wait_for(lambda: saved_step(folder) >= 5)
        while child.is_alive():
            with suppress(OSError), (folder / "filler").open("ab", buffering=0) as filler:
                while True:
                    filler.write(bytes(512))
            time.sleep(0.01)
        child.join()
        assert child.exitcode == 0
        found = json.loads((folder.parent / "results.json").read_text())["losses"]
        assert [tuple(row) for row in found] == straight
        events = read_progress(folder / "progress.jsonl")
        assert max(row["step"] for row in events if row["event"] == "saved") < LONG.num_steps
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_states_are_kept_until_the_results_are_written(tmp_path):
    with (
        pytest.raises(OSError, match="no space"),
        trained(RUN, make_corpus(), checkpoints=tmp_path, **OFTEN),
    ):
        raise OSError(errno.ENOSPC, "no space")
    states = States(tmp_path, {})
    assert states.paths()[0].name == "step-000000040.ckpt"
    again = train(RUN, make_corpus(), checkpoints=tmp_path, **OFTEN)
    assert again.timing["first_step"] == 40
    assert len(again.losses) == 8
    assert states.paths() == []
    train(RUN, make_corpus(), checkpoints=tmp_path, keep_weights=True, **OFTEN)
    assert states.paths() == []
    assert sorted(path.name for path in tmp_path.glob("weights.*")) == [
        "weights.json",
        "weights.safetensors",
    ]


def test_a_second_process_is_told_who_trains(folder):
    child = start(folder)
    wait_for(lambda: saved_step(folder) >= 1)
    assert is_locked(folder)
    with (
        pytest.raises(DataError, match=rf"Process {child.pid} on \S+ is training the run"),
        locked(folder, wait_seconds=0),
    ):
        pass
    child.kill()
    child.join()
    assert not is_locked(folder)


def test_an_orphan_finds_its_successor_and_writes_no_more(tmp_path):
    with locked(tmp_path) as lock:
        lock.check()
        (tmp_path / "owner.json").write_text(json.dumps({"host": "other", "pid": 7, "job": "12"}))
        with pytest.raises(DataError, match=r"Process 7 on other \(job 12\) has taken over"):
            lock.check()


def test_a_half_written_state_does_not_count(tmp_path):
    states = States(tmp_path, {"seed": 0})
    states.write({"x": torch.zeros(3)}, tmp_path / "step-000000001.ckpt")
    (tmp_path / "step-000000002.ckpt").write_bytes(b"half")
    (tmp_path / "step-000000003.tmp").write_bytes(b"less")
    states.clean()
    assert states.newest() == tmp_path / "step-000000001.ckpt"
    assert not (tmp_path / "step-000000003.tmp").exists()
