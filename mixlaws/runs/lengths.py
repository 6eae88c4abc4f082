"""How long the runs of an experiment are."""

from __future__ import annotations

from mixlaws.runs.sections import Experiment


def num_target_steps(config: Experiment) -> int:
    """Return the optimizer steps of the target at the proxies' batch size."""
    return config.target.tokens // config.training.batch_tokens


def num_proxy_tokens(config: Experiment) -> int:
    """Return the tokens that every proxy sees."""
    return config.training.num_steps * config.training.batch_tokens
