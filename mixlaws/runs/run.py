"""A run: one per (size, mixture, seed), with everything that defines it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from mixlaws.runs.schedules import Schedule, make_schedule
from mixlaws.runs.shapes import Shape


@dataclass(frozen=True)
class Run:
    """Everything that defines one run: equal runs give equal losses.

    Fields with a default are options added later. A run that leaves them at their default is the
    same run as before they existed.
    """

    size: str
    mixture: str
    seed: int
    proportions: dict[str, float]
    num_layers: int
    model_width: int
    num_heads: int
    num_steps: int
    batch_size: int
    """Sequences per optimizer step, over all devices."""
    sequence_length: int
    learning_rate: float
    """Peak rate of the hidden matrices at width 64; it falls as 1 / width."""
    embedding_learning_rate: float
    warmup_steps: int
    weight_decay: float
    gradient_clip_norm: float
    averaging_exponent: float | None
    """Step t enters the average of the weights with 1 - (1 - 1/t)^(exponent + 1); None: no
    average, losses are measured on the weights themselves."""
    num_evaluations: int
    first_evaluation: float
    """Share of the run at which losses are first measured."""
    num_validation_windows: int
    max_epochs: float
    """Largest number of epochs of a domain; more is an error."""
    layout: str = "rope"
    tied_embeddings: bool = True
    scale_logits: bool = False
    """Multiply the logits by 64 / width."""
    schedule: str = "constant"
    schedule_horizon: int | None = None
    """Step at which the schedule ends; None: the end of the run."""
    final_rate: float = 0.1
    decay_share: float = 0.2
    evaluation_spacing: str = "log"
    precision: str = "auto"
    unique_tokens: dict[str, int] = field(default_factory=dict)
    """Tokens that a domain is cut to, so that it repeats as often as at the target."""
    initial_weights: str = ""
    """sha256 of the weights that the run starts from; empty for random ones."""
    initial_rate: float = 0.0
    """Learning rate before the first step over the peak rate, from which the warm-up rises."""

    @property
    def shape(self) -> Shape:
        """Return the model's shape."""
        return Shape(self.num_layers, self.model_width, self.num_heads, self.layout)

    @property
    def batch_tokens(self) -> int:
        """Return the tokens of one step."""
        return self.batch_size * self.sequence_length

    def make_schedule(self) -> Schedule:
        """Return the learning-rate schedule."""
        return make_schedule(asdict(self), self.num_steps)

    def identity(self) -> dict[str, Any]:
        """Return everything that defines the run, by key, without options at their default."""
        return {
            key: value
            for key, value in asdict(self).items()
            if key != "max_epochs" and value != RUN_DEFAULTS.get(key, MISSING)
        }


RUN_DEFAULTS: dict[str, Any] = {
    f.name: f.default if f.default_factory is MISSING else f.default_factory()
    for f in fields(Run)
    if f.default is not MISSING or f.default_factory is not MISSING
}


def make_run(params: Mapping[str, Any], **identity: Any) -> Run:
    """Return the run that a training rule's params describe; other params are ignored."""
    named = {**RUN_DEFAULTS, **params, **identity}
    return Run(**{field.name: named[field.name] for field in fields(Run)})
