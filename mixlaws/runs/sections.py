"""The sections of a config, as far as this package reads them.

`mixlaws.config` has the models: they fit these protocols, and their library stays out of the
machine that trains.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from mixlaws.runs.shapes import Shape


class Section(Protocol):
    """Any section."""

    def model_dump(self) -> dict[str, Any]:
        """Return its keys with their values."""


class Source(Protocol):
    """A domain: where its text comes from."""

    available_tokens: int | None

    def model_dump(self) -> dict[str, Any]:
        """Return its keys with their values."""


class Size(Protocol):
    """The shape of a model."""

    num_layers: int
    model_width: int
    num_heads: int


class Mixtures(Protocol):
    """Which mixtures the proxies are trained on, and which are stated."""

    design: str
    count: int | None
    held_out: int
    lattice: int
    limits: dict[str, list[float]]
    natural: dict[str, float] | None
    named: dict[str, dict[str, float]]
    train_natural: bool
    train_named: list[str]


class Initial(Protocol):
    """The model that runs start from."""

    experiment: str | None
    mixture: str | None
    seed: int | None
    folder: str | None
    learning_rate: float | None


class Training(Protocol):
    """How proxies are trained."""

    sizes: list[str]
    seeds: list[int]
    num_steps: int
    batch_size: int
    sequence_length: int
    warmup_steps: int
    max_epochs: float
    layout: str
    schedule: str
    schedule_horizon: int | None
    match_repetition: bool
    micro_batch_size: int | None
    divergence_margin: float | None
    checkpoint_every_seconds: float
    keep_weights: bool
    devices: int
    num_nodes: int
    strategy: str
    launcher: str
    runs_per_device: int
    logger: str

    @property
    def batch_tokens(self) -> int:
        """Return the tokens of one step."""

    @property
    def initial(self) -> Initial | None:
        """Return the model that runs start from; None for random weights."""

    @property
    def accelerator(self) -> str:
        """Return what runs are trained on: auto, cpu or gpu."""

    @property
    def compile(self) -> str | bool:
        """Return whether torch.compile is used."""


class Target(Protocol):
    """The run to decide."""

    size: str
    tokens: int


class Confirmation(Protocol):
    """Which runs of the target are trained, and on what."""

    mixtures: list[str]
    seeds: list[int]
    devices: int | None
    num_nodes: int | None
    strategy: str | None
    launcher: str | None


class Validation(Protocol):
    """What is measured."""

    share: float
    num_windows: int


class Tokenizer(Protocol):
    """The tokenizer that is trained or named."""

    def model_dump(self) -> dict[str, Any]:
        """Return its keys with their values."""


class Optimum(Protocol):
    """What the decision may be."""

    limits: dict[str, list[float]]
    max_epochs: float


class Plan(Protocol):
    """What hours are counted for."""

    device: str
    utilisation: float | None


class Experiment(Protocol):
    """A config with its sections (mixlaws.config.experiment.Experiment)."""

    experiment: str
    seed: int

    @property
    def domains(self) -> Mapping[str, Source]:
        """Return what may be trained on."""

    @property
    def tokenizer(self) -> Tokenizer:
        """Return the tokenizer."""

    @property
    def validation(self) -> Validation:
        """Return what is measured."""

    @property
    def mixtures(self) -> Mixtures:
        """Return which mixtures are trained on."""

    @property
    def sizes(self) -> Mapping[str, Size]:
        """Return the shapes by name."""

    @property
    def training(self) -> Training:
        """Return how proxies are trained."""

    @property
    def plan(self) -> Plan:
        """Return what hours are counted for."""

    @property
    def target(self) -> Target:
        """Return the run to decide."""

    @property
    def optimum(self) -> Optimum:
        """Return what the decision may be."""

    @property
    def confirmation(self) -> Confirmation | None:
        """Return which runs of the target are trained; None for none."""

    @property
    def continual(self) -> Section | None:
        """Return the replay shares of continual pre-training; None for an ordinary experiment."""

    def model_dump(self) -> dict[str, Any]:
        """Return all keys with their values."""


def shape_of(config: Experiment, size: str) -> Shape:
    """Return the shape of a size in the layout that is trained."""
    found = config.sizes[size]
    return Shape(
        found.num_layers, found.model_width, found.num_heads, layout=config.training.layout
    )
