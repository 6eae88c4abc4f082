"""How long the runs of an experiment are."""

from __future__ import annotations

import numpy as np

from mixlaws.runs.sections import Experiment


def num_target_steps(config: Experiment) -> int:
    """Return the optimizer steps of the target at the proxies' batch size."""
    return config.target.tokens // config.training.batch_tokens


def num_proxy_tokens(config: Experiment) -> int:
    """Return the tokens that every proxy sees."""
    return config.training.num_steps * config.training.batch_tokens


def evaluation_steps(num_steps: int, count: int, first: float, spacing: str = "log") -> list[int]:
    """Return up to `count` distinct steps, from the share `first` of the run to its end.

    One step is the last: the loss of a whole run.
    """
    if count == 1:
        return [num_steps]
    space = np.linspace if spacing == "linear" else np.geomspace
    steps = space(max(1.0, first * num_steps), num_steps, count)
    return sorted(set(steps.round().astype(int).tolist()))


def num_windows(num_tokens: int, sequence_length: int) -> int:
    """Return the number of windows of `sequence_length` predictions; neighbours share a token."""
    return max(0, (num_tokens - 1) // sequence_length)
