"""Readers of logs, on files that Lightning and TensorBoard write here."""

from importlib.util import find_spec

import numpy as np
import pytest
from own_tables import SHARES, STEPS, loss_of, mixture_table, options

from mixlaws.errors import DataError
from mixlaws.losses import run_files
from mixlaws.losses.arrays import make_observations
from mixlaws.losses.run_files import find_runs, source_files
from mixlaws.losses.stage import read_swarm

SIZES = {"1M": 1e6, "4M": 4e6}
needs_tensorboard = pytest.mark.skipif(
    not find_spec("tensorboard"), reason="tensorboard is not installed"
)


def log_runs(folder, kind):
    """Log the losses of every run as a LightningModule does; return the path that names runs."""
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

    for size, count in SIZES.items():
        for mixture, (web, _) in SHARES.items():
            place = folder / size / mixture
            logger = (
                CSVLogger(place, name="", version="seed-0")
                if kind == "csv"
                else TensorBoardLogger(place, name="", version="seed-0", default_hp_metric=False)
            )
            for step in range(1, max(STEPS) + 1):
                logger.log_metrics({"train_loss": 5.0 / step}, step)
                if step in STEPS:
                    for number, domain in enumerate(("web", "code")):
                        loss = loss_of(count, web, step, number)
                        logger.log_metrics({f"val/{domain}": loss}, step)
            logger.finalize("success")
    end = "/metrics.csv" if kind == "csv" else ""
    return f"{folder}/{{size}}/{{mixture}}/seed-{{seed}}{end}"


def read(tmp_path, losses, reader):
    mixture_table().to_csv(tmp_path / "mixtures.csv", index=False)
    files = {"losses": losses, "mixtures": str(tmp_path / "mixtures.csv")}
    return read_swarm(options(files, reader=reader, loss_columns="val/*", tokens_per_step=1000))


def expected(found):
    return [
        [loss_of(SIZES[size], SHARES[mixture][0], step, place) for place in range(2)]
        for size, mixture, step in zip(found.size, found.mixture, found.step, strict=True)
    ]


def test_csv_logger(tmp_path):
    found = make_observations(read(tmp_path, log_runs(tmp_path / "logs", "csv"), "csv_logger"))
    assert found.validation_domains == ("code", "web")  # as CSVLogger sorts them
    assert found.losses[:, ::-1].tolist() == expected(found)
    assert len(found) == len(SIZES) * len(SHARES) * len(STEPS)
    assert set(found.tokens) == {1000 * step for step in STEPS}


@needs_tensorboard
def test_tensorboard(tmp_path):
    found = make_observations(read(tmp_path, log_runs(tmp_path / "logs", "tb"), "tensorboard"))
    assert sorted(found.validation_domains) == ["code", "web"]
    order = [found.validation_domains.index(name) for name in ("web", "code")]
    assert found.losses[:, order] == pytest.approx(np.array(expected(found)), abs=1e-6)  # float32
    assert len(found) == len(SIZES) * len(SHARES) * len(STEPS)


def test_tensorboard_that_is_not_installed(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing.event_accumulator", None)
    (tmp_path / "a").mkdir()
    with pytest.raises(DataError, match=r"is not installed. Run `pip install tensorboard`"):
        read(tmp_path, f"{tmp_path}/{{mixture}}", "tensorboard")


def test_paths_that_name_runs(tmp_path):
    for name in ("a/seed-0", "a/seed-1", "b/seed-0"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "m.csv").touch()
    found = find_runs(f"{tmp_path}/{{mixture}}/seed-{{seed}}/m.csv")
    assert [fields for _, fields in found] == [
        {"mixture": "a", "seed": "0"}, {"mixture": "a", "seed": "1"}, {"mixture": "b", "seed": "0"}
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"are one run for the path .*Name the seed or the attempt"):
        find_runs(f"{tmp_path}/{{mixture}}/*/m.csv")
    with pytest.raises(DataError, match=r"must name each run by \{mixture\} or \{run\}, and may"):
        find_runs(f"{tmp_path}/{{model}}/m.csv")
    with pytest.raises(DataError, match=r"no file or folder matches .* Correct the path"):
        find_runs(f"{tmp_path}/{{mixture}}/nothing.csv")
    files = {"losses": f"{tmp_path}/{{run}}/seed-{{seed}}/*.csv", "mixtures": "mixtures.csv"}
    assert source_files(files)[-1] == "mixtures.csv"
    assert len(source_files(files)) == 4
    assert source_files({"losses": "l.csv", "mixtures": "m.csv"}) == ["l.csv", "m.csv"]
    assert run_files.FIELDS == ("run", "mixture", "size", "seed")


def test_a_run_without_losses(tmp_path):
    losses = log_runs(tmp_path / "logs", "csv")
    metrics = tmp_path / "logs/1M/a/seed-0/metrics.csv"
    metrics.write_text("step,train_loss\n1,5.0\n")
    with pytest.raises(DataError, match=r"metrics.csv has no losses val/\*. Say which metrics"):
        read(tmp_path, losses, "csv_logger")
