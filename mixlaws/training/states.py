"""Save the state of a run while it trains, and find the newest one after an interruption.

A state is a file and, written after it, a JSON record with its sha256 and the run it belongs to.
The last two states are kept, so that a full disk or a damaged file costs minutes, not the run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from mixlaws.errors import DataError
from mixlaws.files import file_sha256, read_json, write_json

NUM_KEPT = 2
STATE_NAME = re.compile(r"step-(\d+)\.ckpt")


@dataclass(frozen=True)
class States:
    """The saved states of one run in a folder."""

    folder: Path
    identity: Mapping[str, Any]
    """Everything that defines the run, by key; the state of any other run is refused."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions that may change between two attempts of a run; a change is only printed."""
    kept_micro_batch: int | None = None
    """Sequences per forward pass, the same in all attempts, because sums depend on the grouping."""

    def paths(self) -> list[Path]:
        """Return the states that have a record, newest first."""
        found = [p for p in self.folder.glob("*.ckpt") if STATE_NAME.fullmatch(p.name)]
        complete = [path for path in found if path.with_suffix(".json").exists()]
        return sorted(complete, key=step_of, reverse=True)

    def clean(self) -> None:
        """Delete half-written files that a kill left; only the holder of the lock may call this."""
        for left_over in self.folder.glob("*.tmp"):
            left_over.unlink()

    def micro_batch(self, path: Path | None) -> int | None:
        """Return the micro-batch that a state was trained with."""
        return None if path is None else read_json(path.with_suffix(".json"))["micro_batch"]

    def newest(self) -> Path | None:
        """Return the newest undamaged state, None if there is no state.

        Damaged states are named and skipped. Raises DataError when a state belongs to another run,
        naming each key that differs, or when all states are damaged.
        """
        damaged = []
        for path in self.paths():
            problem = self._problem(path)
            if problem is None:
                print(f"resuming from {path}", flush=True)
                return path
            damaged.append(f"{path} ({problem})")
            print(f"skipping a damaged state: {damaged[-1]}", flush=True)
        if damaged:
            raise DataError(
                f"all saved states are damaged: {'; '.join(damaged)}. Delete {self.folder} to "
                "train from the start"
            )
        return None

    def _problem(self, path: Path) -> str | None:
        """Return what is wrong with a state's files, if anything; refuse another run's state."""
        try:
            record = read_json(path.with_suffix(".json"))
            saved, expected = record["run"], record["sha256"]
        except (DataError, KeyError, TypeError) as error:
            return f"its record cannot be read: {error}"
        self._check_identity(path, saved)
        for name, version in self.versions.items():
            if (then := record.get("versions", {}).get(name)) != version:
                print(f"{path} was written with {name} {then}, this is {version}", flush=True)
        found = file_sha256(path)
        return None if found == expected else f"sha256 {found[:12]}, expected {expected[:12]}"

    def _check_identity(self, path: Path, saved: Mapping[str, Any]) -> None:
        keys = [*self.identity, *(key for key in saved if key not in self.identity)]
        different = [key for key in keys if saved.get(key) != self.identity.get(key)]
        if different:
            listed = ", ".join(
                f"{key} ({saved.get(key)} then, {self.identity.get(key)} now)" for key in different
            )
            raise DataError(
                f"{path} is the state of another run, which differs in {listed}. Delete "
                f"{self.folder} to train from the start, or undo the change"
            )

    def write(self, content: Mapping[str, Any], path: Path) -> None:
        """Write a state; a kill or a full disk at any moment leaves the earlier states whole."""
        temporary = path.with_suffix(".tmp")
        try:
            with temporary.open("wb") as file:
                torch.save(content, file)
                file.flush()
                os.fsync(file.fileno())
            record = {
                "run": dict(self.identity),
                "versions": dict(self.versions),
                "sha256": file_sha256(temporary),
                "micro_batch": self.kept_micro_batch,
            }
            temporary.replace(path)
            try:
                write_json(record, path.with_suffix(".json"))
            except (OSError, DataError):
                _delete(path)  # without a record it does not count, and takes room
                raise
        finally:
            temporary.unlink(missing_ok=True)
        for old in self.paths()[NUM_KEPT:]:
            _delete(old)

    def clear(self) -> None:
        """Delete every state."""
        for path in self.folder.glob("*.ckpt"):
            _delete(path)


def step_of(path: Path | None) -> int:
    """Return the step of a state, 0 of none."""
    match = STATE_NAME.fullmatch(path.name) if path else None
    return int(match[1]) if match else 0


def _delete(path: Path) -> None:
    # The record first: without it the state does not count.
    path.with_suffix(".json").unlink(missing_ok=True)
    path.unlink(missing_ok=True)


class StateIO(TorchCheckpointIO):
    """Let Lightning write and read states as files with checksums."""

    def __init__(self, states: States) -> None:
        self.states = states

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write a state. If that fails, say so; training goes on with the earlier state."""
        try:
            self.states.write(checkpoint, Path(path))
        except (OSError, RuntimeError, DataError) as error:
            # torch.save reports a full disk as a RuntimeError of its stream writer.
            kept = self.states.paths()
            where = f"{kept[0].name} is kept" if kept else "there is no earlier one"
            print(f"cannot write {path}, {where}: {error}", flush=True)
