"""The memory, minutes and GPUs that a run asks a cluster for, from its size and its config.

A profile's `set-resources` overrides each of them. Without a cluster they limit nothing by
themselves.
"""

from __future__ import annotations

from mixlaws.runs.options import execution_options
from mixlaws.runs.sections import Experiment

BASE_MEMORY_MB = 16_000
MEMORY_BYTES_PER_PARAMETER = 20
"""When a state is saved, 16 bytes a parameter pass through the node's memory."""
LONGEST_MINUTES = 240
SMALL_PARAMETERS = 40_000_000
"""Smaller runs usually end in half of the longest time, which a scheduler grants sooner."""


def memory_mb(num_params: int, attempt: int) -> int:
    """Return the memory to ask for, in MB; twice as much from the second attempt on.

    It does not grow further: an attempt may also have ended at its time limit.
    """
    needed = BASE_MEMORY_MB + MEMORY_BYTES_PER_PARAMETER * num_params // 1_000_000
    return needed * min(attempt, 2)


def runtime_minutes(num_params: int, attempt: int) -> int:
    """Return the time limit to ask for, in minutes: four hours; two at first for a small run.

    A run that needs longer saves its state before the limit and resumes in the next attempt.
    """
    first = LONGEST_MINUTES // 2 if num_params < SMALL_PARAMETERS else LONGEST_MINUTES
    return min(first * attempt, LONGEST_MINUTES)


def num_gpus(config: Experiment, *, is_target: bool = False) -> int:
    """Return the GPUs of a run on all its nodes: one per device, none for a run on the CPU."""
    options = execution_options(config, is_target=is_target)
    if options["accelerator"] == "cpu":
        return 0
    return int(options["devices"] * options["num_nodes"])
