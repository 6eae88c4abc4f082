"""The options of an experiment's runs: what is trained, how, and what to ask a cluster for."""

from __future__ import annotations

from typing import Any

from mixlaws.runs.lengths import num_target_steps
from mixlaws.runs.run import RUN_DEFAULTS
from mixlaws.runs.sections import Experiment
from mixlaws.runs.supply import matched_repetition

PROCESS_OPTIONS = ("devices", "num_nodes", "strategy", "launcher")


def run_options(config: Experiment, *, is_target: bool = False) -> dict[str, Any]:
    """Return the options of an experiment's runs that differ from their default.

    A training rule gets only these as params, so that a new option retrains nothing. `is_target`
    for a run of the target's length, which repeats text as often as it has to.
    """
    training = config.training
    options = {key: getattr(training, key) for key in RUN_DEFAULTS if hasattr(training, key)}
    if training.schedule == "cosine" and training.schedule_horizon is None:
        options["schedule_horizon"] = num_target_steps(config)
    if training.initial is not None and training.initial.folder is not None:
        rate = training.initial.learning_rate
        options |= {"learning_rate": rate, "embedding_learning_rate": rate}
    if not is_target:
        options["unique_tokens"] = {cut.domain: cut.tokens for cut in matched_repetition(config)}
    return {key: value for key, value in options.items() if value != RUN_DEFAULTS.get(key)}


def execution_options(config: Experiment, *, is_target: bool = False) -> dict[str, Any]:
    """Return how an experiment's runs are executed (mixlaws.training.execution.Execution).

    The target's runs may have processes of their own: it is larger than any proxy. They never
    share a device.
    """
    training, own = config.training, config.confirmation if is_target else None
    return {
        "accelerator": training.accelerator,
        "compile": training.compile,
        "micro_batch_size": training.micro_batch_size,
        "runs_per_device": 1 if is_target else training.runs_per_device,
        "logger": training.logger,
        **{name: getattr(own, name, None) or getattr(training, name) for name in PROCESS_OPTIONS},
        "divergence_margin": training.divergence_margin,
        "every_seconds": training.checkpoint_every_seconds,
        "keep_weights": training.keep_weights,
    }


def process_resources(config: Experiment, *, is_target: bool = False) -> dict[str, Any]:
    """Return the resources of a run with several processes; none for a single process.

    With `mpi` the plugin starts no task; the run starts its own tasks with srun.
    """
    options = execution_options(config, is_target=is_target)
    tasks = options["devices"] * options["num_nodes"]
    if options["launcher"] != "srun" or tasks == 1:
        return {}
    return {"mpi": "srun", "tasks": tasks, "nodes": options["num_nodes"], "tasks_per_gpu": 1}
