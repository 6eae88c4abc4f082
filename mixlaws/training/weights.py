"""The weights of a finished run: kept to export them, or to start other runs from them.

They are those on which the losses were measured: the average of the weights if the run has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from mixlaws.errors import DataError
from mixlaws.files import atomic_path, file_sha256, read_json, write_json
from mixlaws.run_files import WEIGHTS, WEIGHTS_RECORD
from mixlaws.training.pretrained import Pretrained

MODEL_FOLDER = "model"
"""Folder beside the states of a run that continued a Hugging Face model: the model at its end."""


class KeptWeights(pl.Callback):
    """Write the weights at the end of a run into its folder of states."""

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder = folder
        self.identity = identity

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Write them once for all processes, which gather their shards together."""
        state = trainer.strategy.lightning_module_state_dict()
        if trainer.is_global_zero:
            prefix = "model." if pl_module.averaged is None else "averaged."
            weights = {
                name.removeprefix(prefix): value
                for name, value in state.items()
                if name.startswith(prefix)
            }
            if isinstance(pl_module.model, Pretrained):
                pl_module.model.save(weights, self.folder / MODEL_FOLDER)
            else:
                write_weights(weights, self.folder, self.identity)


def write_weights(
    weights: Mapping[str, torch.Tensor], folder: Path, identity: Mapping[str, Any]
) -> None:
    """Write weights.safetensors and, after it, weights.json with its sha256 and the run."""
    from safetensors.torch import save_file  # a run that keeps no weights does without

    record = folder / WEIGHTS_RECORD
    record.unlink(missing_ok=True)  # without a record the weights do not count
    tensors = {name: value.detach().float().contiguous().cpu() for name, value in weights.items()}
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(tensors, temporary)
    write_json({"run": dict(identity), "sha256": file_sha256(folder / WEIGHTS)}, record)


def read_weights(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return the weights in a folder of states, and the record beside them.

    Raises DataError when there are none, or when they differ from their checksum.
    """
    from safetensors.torch import load_file

    if not (folder / WEIGHTS_RECORD).exists():
        raise DataError(
            f"there are no weights in {folder}. Set training.keep_weights and train the run again"
        )
    record = read_json(folder / WEIGHTS_RECORD)
    path = folder / WEIGHTS
    if not path.exists() or file_sha256(path) != record["sha256"]:
        raise DataError(
            f"{path} is damaged: its sha256 is not the one in {WEIGHTS_RECORD}. Delete {folder} "
            "and train the run again"
        )
    return load_file(path), record
