"""The config's sections on sizes, training, the target, its confirmation and the plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from mixlaws.config.continual import Initial
from mixlaws.config.section import (
    Flag,
    Integer,
    Number,
    OneOf,
    Problem,
    Section,
    Share,
    Unique,
    key,
    optional,
)
from mixlaws.runs.devices import PEAK_FLOPS
from mixlaws.runs.run import RUN_DEFAULTS
from mixlaws.runs.schedules import SCHEDULES
from mixlaws.runs.shapes import LAYOUTS

STRATEGIES = ("auto", "ddp", "fsdp")
LAUNCHERS = ("local", "srun", "torchrun")
LOGGERS = ("none", "csv", "tensorboard", "wandb")
Seeds = Annotated[list[Annotated[Integer, Field(ge=0)]], Field(min_length=1), Unique()]


class Size(Section):
    """The shape of a model; N is computed from it."""

    num_layers: Integer = key("Number of transformer blocks.", ge=1)
    model_width: Integer = key("Width d of the residual stream.", ge=2)
    num_heads: Integer = key(
        "Number of attention heads; must divide model_width into even parts.", ge=1
    )

    def problems(self) -> Iterator[Problem]:
        """Yield a problem if the heads do not divide the width into even parts."""
        if self.model_width % self.num_heads or (self.model_width // self.num_heads) % 2:
            yield (
                "",
                "model_width must be an even multiple of num_heads, "
                f"found {self.model_width} and {self.num_heads}",
            )


class Training(Section):
    """Training of the proxies. Steps are optimizer steps."""

    initial: Initial | None = optional(
        "The model that every run starts from; random weights if left out."
    )
    sizes: Annotated[list[str], Unique()] = key(
        "Sizes of the proxies, each trained on every mixture.", min_length=1
    )
    seeds: Seeds = key(
        "Seeds of the proxies; there is one run per (size, mixture, seed).", default=[0]
    )
    num_steps: Integer = key("Number of optimizer steps of a proxy.", unit="steps", ge=1)
    batch_size: Integer = key("Sequences per step, over all devices.", unit="sequences", ge=1)
    sequence_length: Integer = key("Tokens per sequence.", unit="tokens", ge=2)
    learning_rate: Number = key(
        "Peak learning rate of the hidden matrices at width 64; it scales as 1 / width.",
        default=0.0024,
        gt=0,
    )
    embedding_learning_rate: Number = key(
        "Peak learning rate of the embedding, the same at every width.", default=0.05, gt=0
    )
    warmup_steps: Integer = key(
        "Length of the linear warm-up to the peak rate.", unit="steps", default=30, ge=0
    )
    initial_rate: Share = key(
        "Rate before the first step over the peak rate, from which the warm-up rises. A run that "
        "continues another one re-warms from the final rate of that one.",
        default=RUN_DEFAULTS["initial_rate"],
    )
    weight_decay: Number = key("AdamW's decay of all matrices.", default=0.1, ge=0)
    gradient_clip_norm: Number = key("Largest norm of the gradient.", default=1.0, gt=0)
    averaging_exponent: Number | None = key(
        "Exponent of the power-law average of the weights on which losses are measured; a larger "
        "one forgets faster. null measures the weights themselves.",
        default=10,
        ge=0,
    )
    num_evaluations: Integer = key("Number of steps at which losses are measured.", default=8, ge=1)
    first_evaluation: Number = key(
        "Share of the run after which losses are first measured.", default=0.1, gt=0, le=1
    )
    max_epochs: Number = key(
        "How many times a run may see a domain; a run that would see it more often is refused "
        "before any training.",
        unit="epochs",
        default=1,
        gt=0,
    )
    checkpoint_every_seconds: Number = key(
        "Interval between saved states; an interrupted run continues from the last one.",
        unit="seconds",
        default=120,
        ge=0,
    )
    evaluation_spacing: Literal["log", "linear"] = key(
        "Spacing of the evaluations over the steps.",
        default=RUN_DEFAULTS["evaluation_spacing"],
    )
    layout: Annotated[str, OneOf(LAYOUTS)] = key(
        "Transformer block: rope has RMSNorm, rotary embeddings and no biases; neox is GPT-NeoX's, "
        "with the parameter counts of Pythia and the paper.",
        default=RUN_DEFAULTS["layout"],
    )
    tied_embeddings: Flag = key(
        "Whether the vocabulary head shares the weights of the embedding; N counts neither.",
        default=RUN_DEFAULTS["tied_embeddings"],
    )
    scale_logits: Flag = key(
        "Whether to multiply the logits by 64 / width, so that one embedding rate suits tied "
        "models of any width.",
        default=RUN_DEFAULTS["scale_logits"],
    )
    schedule: Annotated[str, OneOf(SCHEDULES)] = key(
        "Learning rate after the warm-up: constant, constant and then decaying (wsd), or a cosine. "
        "Runs of different schedules cannot be fitted together.",
        default=RUN_DEFAULTS["schedule"],
    )
    schedule_horizon: Integer | None = key(
        "Step at which the schedule ends. null means the target's last step for a cosine, of which "
        "proxies train the first part, and the run's own last step for wsd.",
        unit="steps",
        default=RUN_DEFAULTS["schedule_horizon"],
        ge=1,
    )
    final_rate: Number = key(
        "Rate at the horizon over the peak rate, for wsd and cosine.",
        default=RUN_DEFAULTS["final_rate"],
        ge=0,
        le=1,
    )
    decay_share: Number = key(
        "Share of the horizon over which the rate of wsd decays.",
        default=RUN_DEFAULTS["decay_share"],
        gt=0,
        le=1,
    )
    precision: Literal["auto", "32-true", "bf16-mixed"] = key(
        "Precision of training; auto is bf16-mixed on an NVIDIA or AMD GPU that has bf16, and "
        "32-true elsewhere.",
        default=RUN_DEFAULTS["precision"],
    )
    match_repetition: Flag = key(
        "If available_tokens makes the target repeat a domain, whether to give proxies only a part "
        "of its text, so that they repeat it as often.",
        default=True,
    )
    accelerator: Literal["auto", "cpu", "gpu"] = key(
        "Device of the runs. auto uses a GPU if there is one and requests one per device from a "
        "cluster; cpu neither requests nor uses one; gpu refuses to train without one.",
        default="auto",
    )
    compile: Literal["auto", True, False] = key(
        "Whether to use torch.compile; auto uses it on an NVIDIA or AMD GPU only.", default="auto"
    )
    micro_batch_size: Integer | None = key(
        "Sequences per forward pass and device; must divide the batch. null finds the largest "
        "number that fits.",
        unit="sequences",
        default=None,
        ge=1,
    )
    devices: Integer = key("Devices per run and node.", default=1, ge=1)
    num_nodes: Integer = key("Nodes per run.", default=1, ge=1)
    runs_per_device: Integer = key(
        "Proxies that share a GPU at once on a machine without a scheduler, for sizes that cannot "
        "fill one. The target's runs never share theirs.",
        default=1,
        ge=1,
    )
    strategy: Annotated[str, OneOf(STRATEGIES)] = key(
        "How several devices share a run: ddp copies the model to each, fsdp splits models that do "
        "not fit one device; auto is for one device.",
        default="auto",
    )
    launcher: Annotated[str, OneOf(LAUNCHERS)] = key(
        "Program that starts the processes of a run on several devices; with local the run starts "
        "them itself and ignores a scheduler's variables.",
        default="local",
    )
    divergence_margin: Number | None = key(
        "A run stops as diverged if its smoothed loss exceeds the lowest so far by this much; with "
        "null it stops only at nan.",
        unit="nats",
        default=2,
        gt=0,
    )
    logger: Annotated[str, OneOf(LOGGERS)] = key(
        "Where losses, rate, gradient norm and tokens per second also go, for a tracker to show; "
        "files beside the saved states.",
        default="none",
    )
    keep_weights: Flag = key(
        "Whether to keep the weights of finished runs, to export their models or to start other "
        "runs from them.",
        default=False,
    )

    @property
    def batch_tokens(self) -> int:
        """Return the number of tokens per step."""
        return self.batch_size * self.sequence_length

    def problems(self) -> Iterator[Problem]:
        """Yield keys that contradict the schedule, and several devices without a strategy."""
        if self.schedule == "constant":
            if self.schedule_horizon:
                yield "schedule_horizon", "must be null with schedule constant, which has no end"
        elif self.averaging_exponent is not None:
            yield (
                "averaging_exponent",
                f"must be null with schedule {self.schedule}, found {self.averaging_exponent:g}. "
                "A decaying rate has the effect of averaging the weights",
            )
        if self.devices * self.num_nodes > 1 and self.strategy == "auto":
            yield "strategy", no_strategy(self.devices * self.num_nodes)


def no_strategy(devices: int) -> str:
    """Return the problem of strategy auto on several devices."""
    return f"must be ddp or fsdp on {devices} devices, found auto"


class Plan(Section):
    """The device whose hours `mixlaws plan` estimates."""

    device: Annotated[str, OneOf(tuple(PEAK_FLOPS))] = key(
        "The device whose hours are estimated.", default="H200"
    )
    utilisation: Number | None = key(
        "Model FLOPs utilisation to plan with; null takes one by size, measured on one H100 from "
        "70M up.",
        default=None,
        gt=0,
        le=1,
    )
    price_per_device_hour: Number | None = optional(
        "Price of one device for an hour, in your currency; the page then says what runs cost.",
        gt=0,
    )


class Target(Section):
    """The large run whose mixture is to be decided."""

    size: str = key("Name of its size, one of sizes.")
    tokens: Integer = key("Training tokens D.", unit="tokens", ge=1)


class Confirmation(Section):
    """Train the target on the predicted optimum and on other mixtures."""

    mixtures: Annotated[list[str], Unique()] = key(
        "Mixtures to train in addition to the optimum: uniform, natural, names of mixtures.named."
    )
    seeds: Seeds = key("Seeds of the target's runs; the noise is measured between seeds.")
    devices: Integer | None = optional(
        "Devices per target run and node; training.devices if left out.", ge=1
    )
    num_nodes: Integer | None = optional(
        "Nodes per target run; training.num_nodes if left out.", ge=1
    )
    strategy: Annotated[str, OneOf(STRATEGIES)] | None = optional(
        "Strategy of the target's runs; training.strategy if left out."
    )
    launcher: Annotated[str, OneOf(LAUNCHERS)] | None = optional(
        "Launcher of the target's runs; training.launcher if left out. srun needs a cluster's job."
    )
