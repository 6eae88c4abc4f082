"""What is trained and how: sizes, proxies, the target, and the device of the plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from mixlaws.config.section import (
    Flag,
    Integer,
    Number,
    OneOf,
    Problem,
    Section,
    Unique,
    key,
    optional,
)
from mixlaws.mixtures.lattice import NATURAL, UNIFORM
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

    num_layers: Integer = key("Transformer blocks.", ge=1)
    model_width: Integer = key("Width d of the residual stream.", ge=2)
    num_heads: Integer = key("Attention heads; must divide model_width into even parts.", ge=1)

    def problems(self) -> Iterator[Problem]:
        """Yield a width that the heads do not divide into even parts."""
        if self.model_width % self.num_heads or (self.model_width // self.num_heads) % 2:
            yield (
                "",
                "model_width must be an even multiple of num_heads, "
                f"found {self.model_width} and {self.num_heads}",
            )


class Training(Section):
    """How proxies are trained. Steps count optimizer steps."""

    sizes: Annotated[list[str], Unique()] = key(
        "Sizes of the proxies, each trained on every mixture.", min_length=1
    )
    seeds: Seeds = key("Seeds of the proxies; one run per (size, mixture, seed).", default=[0])
    num_steps: Integer = key("Optimizer steps of a proxy.", unit="steps", ge=1)
    batch_size: Integer = key("Sequences per step, over all devices.", unit="sequences", ge=1)
    sequence_length: Integer = key("Tokens per sequence.", unit="tokens", ge=2)
    learning_rate: Number = key(
        "Peak rate of the hidden matrices at width 64; it falls as 1 / width.",
        default=0.0024,
        gt=0,
    )
    embedding_learning_rate: Number = key(
        "Peak rate of the embedding, the same at every width.", default=0.05, gt=0
    )
    warmup_steps: Integer = key(
        "Steps of linear warm-up to the peak rate.", unit="steps", default=30, ge=0
    )
    weight_decay: Number = key("AdamW's decay of all matrices.", default=0.1, ge=0)
    gradient_clip_norm: Number = key("Largest norm of the gradient.", default=1.0, gt=0)
    averaging_exponent: Number | None = key(
        "Losses are measured on a power-law average of the weights; a larger exponent forgets "
        "faster. null measures the weights themselves.",
        default=10,
        ge=0,
    )
    num_evaluations: Integer = key("Steps at which losses are measured.", default=8, ge=1)
    first_evaluation: Number = key(
        "Share of the run after which losses are first measured.", default=0.1, gt=0, le=1
    )
    max_epochs: Number = key(
        "A run that would see a domain more often is refused before any training.",
        unit="epochs",
        default=1,
        gt=0,
    )
    checkpoint_every_seconds: Number = key(
        "How often a run saves its state; an interrupted run continues from there.",
        unit="seconds",
        default=120,
        ge=0,
    )
    evaluation_spacing: Literal["log", "linear"] = key(
        "How the evaluations are spaced over the steps.",
        default=RUN_DEFAULTS["evaluation_spacing"],
    )
    layout: Annotated[str, OneOf(LAYOUTS)] = key(
        "rope: blocks with RMSNorm and no biases; neox: GPT-NeoX's (Pythia, the paper's parameter "
        "counts).",
        default=RUN_DEFAULTS["layout"],
    )
    tied_embeddings: Flag = key(
        "Whether the vocabulary head is the embedding; N counts neither.",
        default=RUN_DEFAULTS["tied_embeddings"],
    )
    scale_logits: Flag = key(
        "Multiply the logits by 64 / width, so that one embedding rate serves tied models of any "
        "width.",
        default=RUN_DEFAULTS["scale_logits"],
    )
    schedule: Annotated[str, OneOf(SCHEDULES)] = key(
        "Rate after the warm-up: constant, constant and then down (wsd), or a cosine. Laws refuse "
        "a mix of them.",
        default=RUN_DEFAULTS["schedule"],
    )
    schedule_horizon: Integer | None = key(
        "Step at which the schedule ends. null is the target's last step for a cosine (proxies are "
        "prefixes of it) and the run's own for wsd.",
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
        "Share of the horizon over which the rate of wsd falls.",
        default=RUN_DEFAULTS["decay_share"],
        gt=0,
        le=1,
    )
    precision: Literal["auto", "32-true", "bf16-mixed"] = key(
        "auto is bf16-mixed on an NVIDIA or AMD GPU that has bf16, and 32-true elsewhere.",
        default=RUN_DEFAULTS["precision"],
    )
    match_repetition: Flag = key(
        "Where available_tokens makes the target repeat a domain, give the proxies a part of its "
        "text so that they repeat it as often.",
        default=True,
    )
    accelerator: Literal["auto", "cpu", "gpu"] = key(
        "What runs are trained on. auto takes a GPU where there is one and asks a cluster for one "
        "per device; cpu asks for none and uses none; gpu refuses to train without one.",
        default="auto",
    )
    compile: Literal["auto", True, False] = key(
        "torch.compile; auto on an NVIDIA or AMD GPU only.", default="auto"
    )
    micro_batch_size: Integer | None = key(
        "Sequences per forward pass and device; must divide the batch. null finds the largest that "
        "fits.",
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
        "How several devices share a run; fsdp splits the state of models that do not fit one "
        "device.",
        default="auto",
    )
    launcher: Annotated[str, OneOf(LAUNCHERS)] = key(
        "Who starts the processes of a run on several devices; local starts them itself and reads "
        "no scheduler's variables.",
        default="local",
    )
    divergence_margin: Number | None = key(
        "A run stops when its smoothed loss is this far above the least so far; null only stops at "
        "nan.",
        unit="nats",
        default=2,
        gt=0,
    )
    logger: Annotated[str, OneOf(LOGGERS)] = key(
        "Where losses, rate, gradient norm and tokens per second also go, for a tracker to show; "
        "files beside the saved states.",
        default="none",
    )
    keep_states: Flag = key(
        "Keep the last states of finished runs, to export their models.", default=False
    )

    @property
    def batch_tokens(self) -> int:
        """Return the tokens of one step."""
        return self.batch_size * self.sequence_length

    def problems(self) -> Iterator[Problem]:
        """Yield keys that the schedule has no use for, and devices that cannot share a run."""
        if self.schedule == "constant":
            if self.schedule_horizon:
                yield "schedule_horizon", "must be null with schedule constant, which has no end"
        elif self.averaging_exponent is not None:
            yield (
                "averaging_exponent",
                f"must be null with schedule {self.schedule}, found {self.averaging_exponent:g}: a "
                "falling rate averages the weights itself",
            )
        if self.devices * self.num_nodes > 1 and self.strategy == "auto":
            yield "strategy", no_strategy(self.devices * self.num_nodes)


def no_strategy(devices: int) -> str:
    """Return what is wrong with strategy auto on several devices."""
    return f"must be ddp or fsdp on {devices} devices, found auto"


class Plan(Section):
    """What `mixlaws plan` counts hours for."""

    device: Annotated[str, OneOf(tuple(PEAK_FLOPS))] = key(
        "The device whose hours are estimated.", default="H200"
    )
    utilisation: Number | None = key(
        "MFU to plan with; null takes one per size, measured on one H100 from 70M up.",
        default=None,
        gt=0,
        le=1,
    )


class Target(Section):
    """The run to decide."""

    size: str = key("A name in sizes.")
    tokens: Integer = key("Training tokens D.", unit="tokens", ge=1)


class Confirmation(Section):
    """Train the target at the predicted optimum and at other mixtures."""

    mixtures: Annotated[list[Annotated[str, OneOf((UNIFORM, NATURAL))]], Unique()] = key(
        "Mixtures to train beside the optimum."
    )
    seeds: Seeds = key("Seeds of the target's runs; the noise is measured between them.")
    devices: Integer | None = optional(
        "Devices per target run and node; training.devices if left out.", ge=1
    )
    num_nodes: Integer | None = optional(
        "Nodes per target run; training.num_nodes if left out.", ge=1
    )
    strategy: Annotated[str, OneOf(STRATEGIES)] | None = optional("training.strategy if left out.")
    launcher: Annotated[str, OneOf(LAUNCHERS)] | None = optional(
        "training.launcher if left out; srun needs a cluster's job."
    )
