"""The files of the model that runs start from: there before any work, and fit for the config."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixlaws.errors import DataError
from mixlaws.files import read_json
from mixlaws.results import Results
from mixlaws.run_files import RunFiles
from mixlaws.runs.run import RUN_DEFAULTS
from mixlaws.runs.sweep import PlannedRun, list_runs
from mixlaws.text.sources.paths import expand_path

if TYPE_CHECKING:
    from mixlaws.config.experiment import Experiment

# Their models end in a linear head without bias or scale, as mixlaws.training.pretrained needs.
MODEL_TYPES = ("gpt_neox", "llama", "qwen2", "qwen3", "olmo2", "arcee")
_SHAPE = {
    "num_layers": "num_hidden_layers",
    "model_width": "hidden_size",
    "num_heads": "num_attention_heads",
}
_NUM_NAMED = 4


def base_run(config: Experiment, size: str, seed: int, root: Path) -> RunFiles:
    """Return the files of the run that a run of a size and seed starts from."""
    initial = config.training.initial
    assert initial is not None
    assert initial.experiment is not None
    assert initial.mixture is not None
    base = Results(root / initial.experiment)
    return base.run(size, initial.mixture, seed if initial.seed is None else initial.seed)


def initial_files(config: Experiment, size: str, seed: int, root: Path) -> list[str]:
    """Return the files of the model that a run of a size and seed starts from; none for none."""
    initial = config.training.initial
    if initial is None:
        return []
    if initial.folder is not None:
        folder = Path(expand_path(initial.folder, "training.initial.folder"))
        return [str(folder / "config.json"), *sorted(map(str, folder.glob("*.safetensors")))]
    base = base_run(config, size, seed, root)
    return [str(base.weights), str(base.weights_record)]


def initial_problems(config: Experiment, root: Path) -> Iterator[str]:
    """Yield what is wrong with the files of the model that the runs start from.

    `root` is the folder results/ that holds the base experiment.
    """
    initial = config.training.initial
    if initial is None:
        return
    if initial.folder is not None:
        yield from _folder_problems(config, initial.folder)
        return
    runs = {(run.size, run.seed): run for run in list_runs(config).runs}
    missing = []
    for size, seed in runs:
        files = base_run(config, size, seed, root)
        if not files.weights_record.exists() or not files.weights.exists():
            missing.append(f"{size} seed {seed if initial.seed is None else initial.seed}")
        else:
            yield from _base_problems(config, runs[size, seed], files)
    if missing:
        missing = list(dict.fromkeys(missing))
        more = f" and {len(missing) - _NUM_NAMED} more" if len(missing) > _NUM_NAMED else ""
        yield (
            f"training.initial: {initial.experiment} has kept no weights of {initial.mixture} at "
            f"{', '.join(missing[:_NUM_NAMED])}{more}. Set training.keep_weights: true in that "
            "experiment and train these runs first"
        )


def _base_problems(config: Experiment, run: PlannedRun, files: RunFiles) -> Iterator[str]:
    """Yield how the shape of a base differs from that of the size that continues it."""
    # A run's record leaves out the options that have their default.
    found = RUN_DEFAULTS | read_json(files.weights_record)["run"]
    wanted: dict[str, Any] = config.sizes[run.size].model_dump()
    for name in ("layout", "tied_embeddings", "scale_logits"):
        wanted[name] = getattr(config.training, name)
    different = [name for name in wanted if found[name] != wanted[name]]
    if different:
        listed = ", ".join(f"{key} ({found[key]} there, {wanted[key]} here)" for key in different)
        yield f"training.initial: the base of size {run.size} differs in {listed}. Make them equal"


def _folder_problems(config: Experiment, stated: str) -> Iterator[str]:
    folder = Path(expand_path(stated, "training.initial.folder"))
    try:
        found = read_json(folder / "config.json")
    except DataError as error:
        yield (
            f"training.initial.folder: {folder} holds no model: {error} Name a folder that "
            "save_pretrained of transformers wrote"
        )
        return
    if not list(folder.glob("*.safetensors")):
        yield f"training.initial.folder: {folder} holds no *.safetensors. Save the model as such"
    if (kind := found.get("model_type")) not in MODEL_TYPES:
        yield (
            f"training.initial.folder: {folder} is a model of type {kind}, which cannot be "
            f"continued here. The types are {', '.join(MODEL_TYPES)}"
        )
        return
    name = config.training.sizes[0]
    shape = config.sizes[name].model_dump()
    if different := [key for key, theirs in _SHAPE.items() if found.get(theirs) != shape[key]]:
        listed = ", ".join(f"{key}: {found.get(_SHAPE[key])}" for key in different)
        yield f"training.initial.folder: sizes.{name} must be the model's shape. Set {listed}"
    longest, length = found.get("max_position_embeddings"), config.training.sequence_length
    if longest and length > longest:
        yield (
            f"training.initial.folder: the model reads {longest:,} tokens at once, fewer than "
            f"training.sequence_length ({length:,}). Lower training.sequence_length"
        )
