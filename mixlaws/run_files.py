"""The files of one run in a results folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

WEIGHTS, WEIGHTS_RECORD = "weights.safetensors", "weights.json"
"""The kept weights of a finished run, beside its states, and their record."""


@dataclass(frozen=True)
class RunFiles:
    """The files of one run."""

    folder: Path
    checkpoints: Path
    """Folder of saved states, outside `folder` because Snakemake deletes a failed job's outputs."""
    log: Path
    """What the last attempt printed; its last line is the error of a run that failed."""

    @property
    def losses(self) -> Path:
        """Return the path of the measured losses."""
        return self.folder / "losses.csv"

    @property
    def record(self) -> Path:
        """Return the path of the record, which is the same for equal runs."""
        return self.folder / "run.json"

    @property
    def timing(self) -> Path:
        """Return the path of the timing, which a complete run has. Equal runs differ in it."""
        return self.folder / "timing.json"

    @property
    def weights(self) -> Path:
        """Return the path of the weights, if the run keeps them."""
        return self.checkpoints / WEIGHTS

    @property
    def weights_record(self) -> Path:
        """Return the path of the record of the weights, which is written after them."""
        return self.checkpoints / WEIGHTS_RECORD

    @property
    def progress(self) -> Path:
        """Return the path of the progress of all attempts (JSON lines)."""
        return self.checkpoints / "progress.jsonl"
