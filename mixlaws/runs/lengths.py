"""How long the runs of an experiment are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def num_target_steps(config: Mapping[str, Any]) -> int:
    """Return the optimizer steps of the target at the proxies' batch size."""
    training = config["training"]
    return config["target"]["tokens"] // (training["batch_size"] * training["sequence_length"])


def num_proxy_tokens(config: Mapping[str, Any]) -> int:
    """Return the tokens that every proxy sees."""
    training = config["training"]
    return training["num_steps"] * training["batch_size"] * training["sequence_length"]
