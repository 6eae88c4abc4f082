"""Send what a run measures to a tracker: losses, learning rate, gradient norm, tokens per second.

Lightning's loggers write it. The files lie beside the saved states, one folder for each attempt;
nothing goes over the network unless WANDB_MODE is `online`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger

from mixlaws.errors import ConfigError
from mixlaws.runs.run import Run

# Packages that each logger needs: one of them is enough.
_PACKAGES = {"tensorboard": ("tensorboard", "tensorboardX"), "wandb": ("wandb",)}


def check_logger(kind: str) -> None:
    """Raise ConfigError when the package that a logger needs is not installed."""
    packages = _PACKAGES.get(kind, ())
    if packages and not any(map(find_spec, packages)):
        raise ConfigError(
            f"training.logger is {kind}, but the package {packages[0]} is not installed. Run `pip "
            f"install {packages[0]}`, or set training.logger to csv or none"
        )


class Log:
    """What a run sends to its logger; nothing if it has none."""

    def __init__(self, kind: str, folder: Path, run: Run) -> None:
        check_logger(kind)
        self._logger = None if kind == "none" else _make(kind, folder / kind, run)

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """Send the numbers of an optimizer step; from the first process of a run only."""
        self._try(lambda logger: logger.log_metrics(dict(numbers), step))

    def close(self) -> None:
        """Write what is still held back."""
        self._try(lambda logger: logger.finalize("success"))

    def _try(self, act: Callable[[Logger], None]) -> None:
        """Do without the logger once it fails: a full disk must not end the run."""
        if self._logger is None:
            return
        try:
            act(self._logger)
        except OSError as error:
            print(f"the logger could not write, and is left out from here: {error}", flush=True)
            self._logger = None


def _make(kind: str, folder: Path, run: Run) -> Logger:
    if kind == "csv":
        return CSVLogger(folder, name="")
    if kind == "tensorboard":
        return TensorBoardLogger(folder, name="", default_hp_metric=False)
    folder.mkdir(parents=True, exist_ok=True)
    return WandbLogger(
        project="mixlaws",
        name=f"{run.size} {run.mixture} seed {run.seed}",
        save_dir=folder,
        offline=os.environ.get("WANDB_MODE", "offline") != "online",
    )
