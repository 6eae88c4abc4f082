"""What a run asks a cluster for: memory, minutes and GPUs, from its size and its config.

A profile's `set-resources` overrules each of these; without a cluster they limit nothing.
"""

from __future__ import annotations

from mixlaws.runs.options import execution_options
from mixlaws.runs.sections import Experiment

BASE_MEMORY_MB = 16_000
MEMORY_BYTES_PER_PARAMETER = 20
"""A state, 16 bytes a parameter, passes through the node's memory when it is saved."""
LONGEST_MINUTES = 240
SMALL_PARAMETERS = 40_000_000
"""Below this a run usually ends in half of the longest time, and half is granted sooner."""


def memory_mb(num_params: int, attempt: int) -> int:
    """Return the memory to ask for, in MB: at the first attempt, and twice that at any later one.

    No more after that: an attempt also counts where the first one only reached its time limit.
    """
    needed = BASE_MEMORY_MB + MEMORY_BYTES_PER_PARAMETER * num_params // 1_000_000
    return needed * min(attempt, 2)


def runtime_minutes(num_params: int, attempt: int) -> int:
    """Return the time limit to ask for, in minutes: four hours, at first two for a small run.

    A run that needs longer saves its state before the limit and goes on in the next attempt.
    """
    first = LONGEST_MINUTES // 2 if num_params < SMALL_PARAMETERS else LONGEST_MINUTES
    return min(first * attempt, LONGEST_MINUTES)


def num_gpus(config: Experiment, *, is_target: bool = False) -> int:
    """Return the GPUs of a run on all its nodes: one per device, none for a run on the CPU."""
    options = execution_options(config, is_target=is_target)
    if options["accelerator"] == "cpu":
        return 0
    return int(options["devices"] * options["num_nodes"])
