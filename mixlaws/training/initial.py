"""The model that a run starts from instead of random weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mixlaws.errors import DataError
from mixlaws.files import read_json
from mixlaws.run_files import WEIGHTS, WEIGHTS_RECORD
from mixlaws.runs.run import Run
from mixlaws.training.model import Transformer
from mixlaws.training.pretrained import Pretrained, folder_digest
from mixlaws.training.weights import read_weights

Model = Transformer | Pretrained


@dataclass(frozen=True)
class Initial:
    """Where a run's first weights come from."""

    folder: Path
    """A folder of states with the kept weights of a run, or a Hugging Face model."""
    sha256: str
    """Digest of the weights. It is part of the run's identity."""
    is_pretrained: bool
    """Whether the folder is a Hugging Face model."""

    def make_model(self, run: Run, vocabulary_size: int) -> Model:
        """Return the model with its weights.

        Raises DataError when the weights are damaged or do not fit the run's model.
        """
        if self.is_pretrained:
            return Pretrained(self.folder, vocabulary_size=vocabulary_size)
        model = make_transformer(run, vocabulary_size)
        weights, _ = read_weights(self.folder)
        found = {name: tuple(value.shape) for name, value in weights.items()}
        wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
        names = [name for name in found | wanted if found.get(name) != wanted.get(name)]
        if names:
            raise DataError(
                f"the weights in {self.folder} are those of another model: {len(names)} tensors "
                f"differ, such as {names[0]}, which is {found.get(names[0])} there and "
                f"{wanted.get(names[0])} here. Give the size the shape and layout of its base"
            )
        model.load_state_dict(weights)
        return model


def read_initial(folder: str | Path) -> Initial:
    """Return the model in a folder: the kept weights of a run, or a Hugging Face model."""
    folder = Path(folder)
    if (folder / WEIGHTS_RECORD).exists():
        return Initial(folder, read_json(folder / WEIGHTS_RECORD)["sha256"], is_pretrained=False)
    if (folder / "config.json").exists():
        return Initial(folder, folder_digest(folder), is_pretrained=True)
    raise DataError(
        f"{folder} holds neither {WEIGHTS} of a run nor a model of transformers (config.json). "
        "Name another folder in training.initial"
    )


def make_transformer(run: Run, vocabulary_size: int) -> Transformer:
    """Return a run's model with random weights."""
    return Transformer(
        run.shape,
        vocabulary_size=vocabulary_size,
        sequence_length=run.sequence_length,
        tied=run.tied_embeddings,
        scale_logits=run.scale_logits,
    )
