"""Runs: one per (size, mixture, seed), with everything that defines them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from mixlaws.errors import DataError
from mixlaws.mixtures import Design, default_count
from mixlaws.schedule import Schedule, make_schedule
from mixlaws.sizes import Shape


@dataclass(frozen=True)
class Run:
    """Everything that defines one run: equal runs give equal losses.

    Fields with a default are options that came later: a run that leaves them alone is the run it
    was before they existed.
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
    """Share of the run at which the first evaluation stands."""
    num_validation_windows: int
    max_epochs: float
    """A domain that would be seen more often than this is an error."""
    layout: str = "rope"
    tied_embeddings: bool = True
    scale_logits: bool = False
    """Multiply the logits by 64 / width."""
    schedule: str = "constant"
    schedule_horizon: int | None = None
    """Step at which the schedule ends; None: with the run."""
    final_rate: float = 0.1
    decay_share: float = 0.2
    evaluation_spacing: str = "log"
    precision: str = "auto"
    unique_tokens: dict[str, int] = field(default_factory=dict)
    """Tokens that a domain is cut to, so that it repeats as it will at the target."""

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
        """Return what defines the run, by key; options at their default are left out."""
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
    """Return the run that a training rule's params describe; other params are left out."""
    named = {**RUN_DEFAULTS, **params, **identity}
    return Run(**{field.name: named[field.name] for field in fields(Run)})


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


PROCESS_OPTIONS = ("devices", "num_nodes", "strategy", "launcher")


def execution_options(config: Mapping[str, Any], *, is_target: bool = False) -> dict[str, Any]:
    """Return how a complete config's runs are executed (mixlaws.processes.Execution).

    The target's runs may have processes of their own: it is larger than any proxy.
    """
    training = config["training"]
    if is_target:
        own = {k: v for k, v in config.get("confirmation", {}).items() if k in PROCESS_OPTIONS}
        training = training | own
    names = ("compile", "micro_batch_size", *PROCESS_OPTIONS)
    return {
        **{name: training[name] for name in (*names, "divergence_margin")},
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


@dataclass(frozen=True)
class Cut:
    """A domain whose proxies see only part of its text, and why."""

    domain: str
    tokens: int
    reason: str


def matched_repetition(config: Mapping[str, Any]) -> list[Cut]:
    """Return the domains whose text is cut so that proxies repeat it as the target will.

    A proxy that sees fresh text where the target sees it again is told a domain is worth more than
    it will be: repetition moves the optimum (arXiv 2606.07597). It is so where the target may
    take more of a domain than its `available_tokens`: the limit binds.
    """
    if not config["training"]["match_repetition"]:
        return []
    target, proxy = config["target"]["tokens"], num_proxy_tokens(config)
    cuts = []
    for domain, source in config["domains"].items():
        available = source.get("available_tokens")
        highest = config["optimum"]["limits"].get(domain, [0.0, 1.0])[1]
        epochs = config["optimum"]["max_epochs"]
        if not available or proxy >= target or epochs <= 1 or highest * target <= available:
            continue
        seen = min(epochs, highest * target / available)
        tokens = max(1, available * proxy // target)
        cuts.append(
            Cut(
                domain,
                tokens,
                f"the target may see {domain}'s {available:,} tokens up to {seen:.3g} times; a "
                f"proxy of {proxy:,} tokens draws from {tokens:,} of them, to repeat them alike",
            )
        )
    return cuts


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
            f"the training text must serve runs of {tokens:,} tokens within {max_epochs:g} epochs, "
            f"but {'; '.join(short)}: give these domains more text, lower the tokens of a run, set "
            "upper limits in mixtures.limits, leave the mixture out of confirmation.mixtures, or "
            "raise training.max_epochs"
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
