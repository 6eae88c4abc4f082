"""Runs: one per (size, mixture, seed), with their steps, tokens and FLOPs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from mixlaws.errors import DataError
from mixlaws.mixtures import default_count
from mixlaws.sizes import Shape


@dataclass(frozen=True)
class Run:
    """Everything that defines one run: equal runs give equal losses."""

    size: str
    mixture: str
    seed: int
    proportions: dict[str, float]
    num_layers: int
    model_width: int
    num_heads: int
    num_steps: int
    batch_size: int
    """Sequences per optimizer step."""
    sequence_length: int
    learning_rate: float
    """Peak rate of the hidden matrices at width 64; it falls as 1 / width."""
    embedding_learning_rate: float
    warmup_steps: int
    weight_decay: float
    gradient_clip_norm: float
    averaging_exponent: float
    """Step t enters the average of the weights with 1 - (1 - 1/t)^(exponent + 1)."""
    num_evaluations: int
    first_evaluation: float
    """Share of the run at which the first evaluation stands."""
    num_validation_windows: int
    max_epochs: float
    """A domain that would be seen more often than this is an error."""

    @property
    def shape(self) -> Shape:
        """Return the model's shape."""
        return Shape(self.num_layers, self.model_width, self.num_heads)

    @property
    def batch_tokens(self) -> int:
        """Return the tokens of one step."""
        return self.batch_size * self.sequence_length


def make_run(params: Mapping[str, Any], **identity: Any) -> Run:
    """Return the run that a training rule's params describe; other params are left out."""
    named = {**params, **identity}
    return Run(**{field.name: named[field.name] for field in fields(Run)})


def design_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `choose_mixtures` that a complete config asks for."""
    mixtures = config["mixtures"]
    return {
        "design": mixtures["design"],
        "count": mixtures["count"] or default_count(len(config["domains"])),
        "num_held_out": mixtures["held_out"],
        "lattice": mixtures["lattice"],
        "limits": {
            domain: mixtures["limits"].get(domain, [0.0, 1.0]) for domain in config["domains"]
        },
        "seed": config["seed"],
    }


def num_target_steps(config: Mapping[str, Any]) -> int:
    """Return the optimizer steps of the target at the proxies' batch size."""
    training = config["training"]
    return config["target"]["tokens"] // (training["batch_size"] * training["sequence_length"])


def num_proxy_tokens(config: Mapping[str, Any]) -> int:
    """Return the tokens that every proxy sees."""
    training = config["training"]
    return training["num_steps"] * training["batch_size"] * training["sequence_length"]


def check_supply(
    proportions: Mapping[str, Mapping[str, float]],
    available_tokens: Mapping[str, int],
    *,
    tokens: int,
    max_epochs: float,
) -> None:
    """Raise DataError naming every (mixture, domain) that would repeat text too often.

    `proportions` by mixture id; `tokens` are those of one run.
    """
    short = [
        f"{mixture} needs {share * tokens:,.0f} of {domain} ({available_tokens[domain]:,} at hand)"
        for mixture, shares in proportions.items()
        for domain, share in shares.items()
        if share * tokens > max_epochs * available_tokens[domain]
    ]
    if short:
        raise DataError(
            f"the training text must serve every mixture within {max_epochs:g} epochs, but "
            f"{'; '.join(short)}: give these domains more text, lower the tokens of a run, set "
            "upper limits in mixtures.limits, or raise training.max_epochs"
        )


def describe_target(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the target as the decision's rules need it: size, tokens and shape."""
    shape = config["sizes"][config["target"]["size"]]
    return {
        **config["target"],
        **shape,
        "sequence_length": config["training"]["sequence_length"],
    }
