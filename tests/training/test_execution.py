"""Several processes train the same run: equal losses, one writer, resumable."""

import subprocess
import sys
from pathlib import Path

import pytest
from test_train import RUN, losses, make_corpus

from mixlaws.training.execution import Execution, claims_devices, is_main_process
from mixlaws.training.strategies import make_environment
from mixlaws.training.train import train


def train_together(folder, strategy):
    script = Path(__file__).with_name("train_together.py")
    found = subprocess.run(
        [sys.executable, str(script), str(folder), strategy],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert found.returncode == 0, found.stderr[-3000:]
    lines = [line.split() for line in found.stdout.splitlines()]
    (first,) = [int(line[1]) for line in lines if line[0] == "FIRST"]
    return first, [float(line[3]) for line in lines if line[0] == "LOSS"]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_end_where_one_does_and_resume(tmp_path, strategy):
    one = train(RUN, make_corpus(), checkpoints=tmp_path / "one", every_seconds=1e9)
    expected = [loss for _, _, loss in losses(one)]
    first, found = train_together(tmp_path / "two", strategy)
    assert first == 0
    assert found == pytest.approx(expected, abs=1e-4)
    (tmp_path / "two" / "step-000000040.ckpt").unlink()
    (tmp_path / "two" / "step-000000040.json").unlink()
    first, resumed = train_together(tmp_path / "two", strategy)
    assert first == 36  # they agree on saving every fourth step
    assert resumed == pytest.approx(found, rel=1e-6)


def test_a_single_process_ignores_every_scheduler(monkeypatch):
    for name in ("SLURM_PROCID", "SLURM_NTASKS", "RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "3")
    alone = Execution()
    assert is_main_process(alone)
    assert type(make_environment(alone)).__name__ == "LightningEnvironment"


@pytest.mark.parametrize(
    ("launcher", "name", "environment"),
    [
        ("local", "LOCAL_RANK", "LightningEnvironment"),
        ("srun", "SLURM_PROCID", "SLURMEnvironment"),
        ("torchrun", "RANK", "TorchElasticEnvironment"),
    ],
)
def test_only_the_first_process_of_a_launcher_writes(monkeypatch, launcher, name, environment):
    execution = Execution(devices=2, strategy="ddp", launcher=launcher)
    monkeypatch.setenv(name, "0")
    assert is_main_process(execution)
    monkeypatch.setenv(name, "1")
    assert not is_main_process(execution)
    assert type(make_environment(execution)).__name__ == environment


@pytest.mark.parametrize(
    ("variables", "options", "expected"),
    [
        ({}, {}, True),
        ({}, {"devices": 2, "strategy": "ddp"}, True),
        ({"LOCAL_RANK": "1"}, {"devices": 2, "strategy": "ddp"}, False),  # its parent has them
        ({"NODE_RANK": "1"}, {"num_nodes": 2, "strategy": "ddp"}, True),
        ({"SLURM_JOB_ID": "7"}, {}, False),
        ({"LOCAL_RANK": "0"}, {"devices": 2, "launcher": "torchrun"}, False),
        ({}, {"accelerator": "cpu"}, False),
    ],
)
def test_the_first_process_on_a_node_without_a_scheduler_claims(
    monkeypatch, variables, options, expected
):
    for name in ("SLURM_JOB_ID", "LOCAL_RANK", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert claims_devices(Execution(**options)) is expected
