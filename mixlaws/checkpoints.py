"""Save the state of a run while it trains, and take it up again after a kill."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from mixlaws.errors import DataError


@dataclass
class Checkpoints(pl.Callback):
    """Save the whole state every so many seconds; an interrupted run goes on where it was."""

    folder: Path
    identity: dict[str, Any]
    every_seconds: float
    _saved: float = field(default_factory=time.monotonic)

    @property
    def path(self) -> Path:
        """Return the file of the last state."""
        return self.folder / "last.ckpt"

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Save when due; the rename is atomic, so a kill leaves the earlier state."""
        if time.monotonic() - self._saved < self.every_seconds:
            return
        temporary = self.path.with_suffix(".tmp")
        trainer.save_checkpoint(temporary)
        temporary.replace(self.path)
        self._saved = time.monotonic()

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict) -> None:
        """Write down which run this state belongs to."""
        checkpoint["mixlaws_run"] = self.identity

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict) -> None:
        """Refuse the state of another run, naming what differs."""
        saved = checkpoint.get("mixlaws_run", {})
        different = [key for key, value in self.identity.items() if saved.get(key) != value]
        if different:
            raise DataError(
                f"{self.path} must come from this same run, but differs in "
                + ", ".join(
                    f"{key} ({saved.get(key)} then, {self.identity[key]} now)" for key in different
                )
                + f": delete {self.folder} to train from the start"
            )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, so that an orphaned job and its successor never write together."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(
                f"{folder} must be used by one process, but another one is training this run: "
                "wait for it, or end it"
            ) from None
        yield
