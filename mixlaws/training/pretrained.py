"""A local Hugging Face model, which is trained as it is through `transformers`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mixlaws.errors import ConfigError, DataError
from mixlaws.files import file_sha256
from mixlaws.runs.run import Run
from mixlaws.training.model import Call, call

DROPOUTS = ("attention_dropout", "hidden_dropout", "classifier_dropout")


class Pretrained(nn.Module):
    """A causal language model of `transformers`, with the interface of Transformer.

    It has no dropout: the runs of a sweep have none, and a resumed run would draw other numbers.
    Raises ConfigError without the library, DataError when the folder holds no model that it loads.
    """

    def __init__(self, folder: Path, *, vocabulary_size: int) -> None:
        super().__init__()
        self.whole = _load(folder)
        if (rows := self.embedding.num_embeddings) < vocabulary_size:
            raise DataError(
                f"the model in {folder} has {rows:,} tokens, but the text has "
                f"{vocabulary_size:,}. Tokenize the text with the model's own tokenizer"
            )

    @property
    def embedding(self) -> nn.Embedding:
        """Return the token embedding."""
        return self.whole.get_input_embeddings()

    @property
    def blocks(self) -> nn.ModuleList:
        """Return the transformer blocks."""
        return self.whole.base_model.layers

    @property
    def head_weight(self) -> torch.Tensor:
        """Return the vocabulary head's matrix (V, d)."""
        return self.whole.get_output_embeddings().weight

    def hidden(self, ids: torch.Tensor, call: Call = call) -> torch.Tensor:
        """Return what the vocabulary head reads (B, T, d), of token ids (B, T)."""
        output: Any = call(self.whole.base_model, ids)
        return output.last_hidden_state

    def num_non_embedding_params(self) -> int:
        """Return N, the count that every law uses."""
        total = sum(parameter.numel() for parameter in self.parameters())
        heads = {id(weight): weight for weight in (self.embedding.weight, self.head_weight)}
        return total - sum(weight.numel() for weight in heads.values())

    def groups(self, run: Run) -> list[dict[str, Any]]:
        """Return AdamW's groups: the stated rate for all weights, not scaled by the width."""
        matrices = [p for p in self.parameters() if p.ndim >= 2]
        others = [p for p in self.parameters() if p.ndim < 2]
        return [
            {"params": matrices, "lr": run.learning_rate, "weight_decay": run.weight_decay},
            {"params": others, "lr": run.learning_rate, "weight_decay": 0.0},
        ]

    def save(self, weights: Mapping[str, torch.Tensor], folder: Path) -> None:
        """Write weights, by the names of this module, as a folder that `transformers` loads."""
        named = {name.removeprefix("whole."): value.cpu() for name, value in weights.items()}
        self.whole.save_pretrained(folder, state_dict=named)


def _load(folder: Path) -> Any:
    try:
        from transformers import AutoConfig, AutoModelForCausalLM
    except ModuleNotFoundError:
        raise ConfigError(
            "training.initial.folder needs the package transformers: pip install "
            "'mixlaws[pretrained]'"
        ) from None
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        for name in DROPOUTS:
            if hasattr(config, name):
                setattr(config, name, 0.0)
        config.use_cache = False
        model = AutoModelForCausalLM.from_pretrained(
            folder, config=config, dtype=torch.float32, local_files_only=True
        )
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise DataError(
            f"the model in {folder} cannot be loaded: {reason[:300]}. Give a folder with "
            "config.json and safetensors, as save_pretrained writes it"
        ) from error
    return model.train()


def folder_digest(folder: Path) -> str:
    """Return a sha256 of the model's configuration and of all its weights."""
    digest = hashlib.sha256()
    for path in model_files(folder):
        digest.update(f"{path.name}\0{file_sha256(path)}\0".encode())
    return digest.hexdigest()


def model_files(folder: Path) -> list[Path]:
    """Return the files that define the model: config.json and its weights, sorted."""
    return sorted(_model_files(folder))


def _model_files(folder: Path) -> Iterator[Path]:
    yield folder / "config.json"
    yield from folder.glob("*.safetensors")
