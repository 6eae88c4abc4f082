"""The training of one run as a stage of the workflow: token files in, losses and records out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from mixlaws.files import file_sha256, write_json
from mixlaws.runs.claims import claimed
from mixlaws.runs.run import Run, make_run
from mixlaws.training.execution import Execution, claims_devices, start_processes


def train_run(
    inputs: Mapping[str, Any], outputs: Mapping[str, str], settings: Mapping[str, Any]
) -> None:
    """Train one run, or resume it, and write its losses.csv, run.json and timing.json.

    `inputs` are the manifests beside the token files (train_manifests and validation_manifests)
    and, if the run starts from a model, the files of that model: initial.
    `outputs` are losses, record and timing. `settings` are the params and wildcards of the rule:
    size, mixture, seed, shape, proportions, num_steps, settings and options (keys of Run),
    execution (keys of Execution) and checkpoints, the folder of the saved states.

    Raises DataError, ConfigError and TrainingError as `mixlaws.training.train.trained` does.
    """
    execution = Execution(**settings["execution"])
    start_processes(execution)
    with _claimed(execution, settings):
        _train(inputs, outputs, settings)


def _claimed(
    execution: Execution, settings: Mapping[str, Any]
) -> AbstractContextManager[tuple[str, ...]]:
    if not claims_devices(execution):
        return nullcontext(())
    run = "{size} {mixture} seed {seed}".format_map(settings)
    return claimed(execution.devices, runs_per_device=execution.runs_per_device, run=run)


def _train(
    inputs: Mapping[str, Any], outputs: Mapping[str, str], settings: Mapping[str, Any]
) -> None:
    # Imported here: torch takes seconds and memory that a process which starts others, or waits for
    # a device, does not need.
    import pandas as pd

    from mixlaws.tables import write_table
    from mixlaws.training.accelerators import use_accelerator
    from mixlaws.training.corpus import read_corpus
    from mixlaws.training.deadline import end_before_limit
    from mixlaws.training.initial import read_initial
    from mixlaws.training.loggers import check_logger
    from mixlaws.training.train import trained

    execution = settings["execution"]
    # Their errors come before the text is read.
    use_accelerator(Execution(**execution))
    check_logger(execution["logger"])
    end_before_limit()
    corpus = read_corpus(inputs["train_manifests"], inputs["validation_manifests"])
    run = _make_run(inputs["train_manifests"], settings)
    initial = read_initial(Path(inputs["initial"][0]).parent) if "initial" in inputs else None
    folder = settings["checkpoints"]
    with trained(run, corpus, checkpoints=folder, initial=initial, **execution) as result:
        write_table(pd.DataFrame(result.losses), outputs["losses"])
        digest = {"losses_sha256": file_sha256(Path(outputs["losses"]))}
        write_json(result.record | digest, outputs["record"])
        write_json(result.timing, outputs["timing"])


def _make_run(manifests: list[str], settings: Mapping[str, Any]) -> Run:
    from mixlaws.training.corpus import resolve_proportions

    keys = {"num_steps": settings["num_steps"], **settings["settings"], **settings["options"]}
    return make_run(
        {**keys, **settings["shape"]},
        size=settings["size"],
        mixture=settings["mixture"],
        seed=int(settings["seed"]),
        proportions=resolve_proportions(settings["proportions"], manifests),
    )
