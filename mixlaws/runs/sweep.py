"""The runs of an experiment: their mixtures and the target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixlaws.mixtures.designs import Design, default_count
from mixlaws.runs.options import run_options
from mixlaws.runs.run import RUN_DEFAULTS


def design_of(config: Mapping[str, Any]) -> Design:
    """Return the design of the mixtures that a complete config asks for."""
    mixtures = config["mixtures"]
    return Design(
        name=mixtures["design"],
        count=mixtures["count"] or default_count(len(config["domains"])),
        num_held_out=mixtures["held_out"],
        lattice=mixtures["lattice"],
        limits={domain: mixtures["limits"].get(domain, [0.0, 1.0]) for domain in config["domains"]},
        seed=config["seed"],
    )


def describe_target(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the target as the decision's rules need it: size, tokens, shape and schedule."""
    training, options = config["training"], run_options(config, is_target=True)
    shape = config["sizes"][config["target"]["size"]]
    names = ("schedule", "schedule_horizon", "final_rate", "decay_share")
    return {
        **config["target"],
        **shape,
        "sequence_length": training["sequence_length"],
        "layout": training["layout"],
        "batch_tokens": training["batch_size"] * training["sequence_length"],
        "warmup_steps": training["warmup_steps"],
        **{name: options.get(name, RUN_DEFAULTS[name]) for name in names},
    }
