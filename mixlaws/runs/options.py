"""The options of an experiment's runs: what is trained, how, and what a cluster must know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixlaws.runs.lengths import num_target_steps
from mixlaws.runs.run import RUN_DEFAULTS
from mixlaws.runs.supply import matched_repetition


def run_options(config: Mapping[str, Any], *, is_target: bool = False) -> dict[str, Any]:
    """Return the options of a complete config's runs that differ from their default.

    A training rule gets only these as params, so that a new option retrains nothing. `is_target`
    for a run of the target's length, which repeats text as it comes.
    """
    training = config["training"]
    options = {key: training[key] for key in RUN_DEFAULTS if key in training}
    if training["schedule"] == "cosine" and options["schedule_horizon"] is None:
        options["schedule_horizon"] = num_target_steps(config)
    if not is_target:
        options["unique_tokens"] = {cut.domain: cut.tokens for cut in matched_repetition(config)}
    return {key: value for key, value in options.items() if value != RUN_DEFAULTS[key]}


EXECUTION_OPTIONS = (
    *("accelerator", "compile", "micro_batch_size", "divergence_margin"),
    *("runs_per_device", "logger"),
)
PROCESS_OPTIONS = ("devices", "num_nodes", "strategy", "launcher")


def execution_options(config: Mapping[str, Any], *, is_target: bool = False) -> dict[str, Any]:
    """Return how a complete config's runs are executed (mixlaws.training.execution).

    The target's runs may have processes of their own: it is larger than any proxy.
    """
    training = config["training"]
    if is_target:
        own = {k: v for k, v in config.get("confirmation", {}).items() if k in PROCESS_OPTIONS}
        training = training | {"runs_per_device": 1} | own
    return {
        **{name: training[name] for name in (*EXECUTION_OPTIONS, *PROCESS_OPTIONS)},
        "every_seconds": training["checkpoint_every_seconds"],
        "keep": training["keep_states"],
    }


def process_resources(config: Mapping[str, Any], *, is_target: bool = False) -> dict[str, Any]:
    """Return what a cluster must know of a run with several processes: none where there is one.

    With `mpi` the job is not started as one task: the run starts its own under srun.
    """
    options = execution_options(config, is_target=is_target)
    tasks = options["devices"] * options["num_nodes"]
    if options["launcher"] != "srun" or tasks == 1:
        return {}
    return {"mpi": "srun", "tasks": tasks, "nodes": options["num_nodes"], "tasks_per_gpu": 1}
