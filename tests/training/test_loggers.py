"""A run's numbers go to a tracker's files, and change nothing of the run."""

import csv
import math
from importlib.util import find_spec

import pytest
from test_train import RUN, losses, make_corpus

from mixlaws.errors import ConfigError
from mixlaws.training import loggers
from mixlaws.training.loggers import Log
from mixlaws.training.train import train

NAMES = {"training_loss", "gradient_norm", "learning_rate", "tokens_per_second"}
NAMES |= {"validation_loss/a", "validation_loss/b"}


def train_with(logger, folder):
    return train(RUN, make_corpus(), checkpoints=folder, every_seconds=1e9, logger=logger)


def test_csv_has_every_step_and_every_evaluation(tmp_path):
    result = train_with("csv", tmp_path)
    with (tmp_path / "csv/version_0/metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[0].keys() >= NAMES
    steps = {int(row["step"]) for row in rows if row["training_loss"]}
    assert steps == set(range(1, 41))
    found = {
        (int(row["step"]), name): float(row[f"validation_loss/{name}"])
        for row in rows
        for name in "ab"
        if row[f"validation_loss/{name}"]
    }
    assert found == pytest.approx({(step, name): loss for step, name, loss in losses(result)})
    assert float(rows[0]["learning_rate"]) == pytest.approx(RUN.learning_rate / RUN.warmup_steps)
    assert losses(train_with("none", tmp_path / "plain")) == losses(result)


@pytest.mark.skipif(not find_spec("tensorboard"), reason="tensorboard is not installed")
def test_tensorboard_reads_the_files_of_a_run(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = train_with("tensorboard", tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard/version_0")).Reload()
    assert set(events.Tags()["scalars"]) >= NAMES
    assert [event.step for event in events.Scalars("training_loss")] == list(range(1, 41))
    found = {(e.step, n): e.value for n in "ab" for e in events.Scalars(f"validation_loss/{n}")}
    assert found == pytest.approx({(step, n): loss for step, n, loss in losses(result)}, abs=1e-6)
    assert all(math.isfinite(event.value) for event in events.Scalars("gradient_norm"))


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("wandb"), reason="wandb is not installed")
def test_wandb_writes_without_a_network(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    train_with("wandb", tmp_path)
    assert list((tmp_path / "wandb").rglob("offline-run-*/*.wandb"))


@pytest.mark.parametrize("kind", ["tensorboard", "wandb"])
def test_an_absent_package_is_one_line(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(loggers, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=rf"^training.logger is {kind}, .*`pip install {kind}`"):
        train_with(kind, tmp_path)


def test_a_logger_that_cannot_write_does_not_end_the_run(tmp_path, capsys):
    (tmp_path / "csv").write_text("a file where the folder should be")
    log = Log("csv", tmp_path, RUN)
    log.write(1, {"training_loss": 2.0})
    log.write(2, {"training_loss": 2.0})
    log.close()
    said = capsys.readouterr().out
    assert said.count("the logger could not write, and is left out from here") == 1
