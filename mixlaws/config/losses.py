"""The config of an experiment that trains nothing and fits laws to losses that you have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from mixlaws.config.budget import ComputeBudget
from mixlaws.config.decision import Laws, Optimum, StatedMixtures, Uncertainty
from mixlaws.config.recipes import Recipes
from mixlaws.config.section import (
    Integer,
    Name,
    Number,
    OneOf,
    Problem,
    Root,
    Section,
    Unique,
    key,
    optional,
)
from mixlaws.config.stated import prior_problems, share_problems
from mixlaws.runs.schedules import schedule_options

READER_NAMES = ("auto", "long", "wide", "regmix", "csv_logger", "tensorboard", "olmix", "wandb")
DROP_RULES = ("not_finite", "incomplete", "rising", "spike")
ACCEPT_RULES = ("rising", "spike")
Positive = Annotated[Number, Field(gt=0)]


class Files(Section):
    """The files to read."""

    losses: str = key(
        "Table of the losses (CSV or Parquet); for csv_logger and tensorboard the path of each "
        "run's file with {run}, {mixture}, {size} or {seed} in it."
    )
    mixtures: str = key("Table of the mixtures: id, and one column of shares per domain.")


class Schedule(Section):
    """The learning-rate schedule that all runs had; the target is assumed to have the same."""

    kind: Literal["unknown", "constant", "cosine"] = key(
        "unknown is treated as constant, and the page says so.", default="unknown"
    )
    warmup_steps: Integer = key("Length of the linear warm-up.", unit="steps", default=0, ge=0)
    horizon: Integer | None = key(
        "Step at which the cosine ends; null means at each run's last step.",
        unit="steps",
        default=None,
        ge=1,
    )
    final_rate: Number = key("Last rate of a cosine over the peak rate.", default=0.1, ge=0, le=1)

    def problems(self) -> Iterator[Problem]:
        """Yield a problem if a schedule without a cosine has the cosine's keys."""
        if self.kind != "cosine" and self.horizon is not None:
            yield "horizon", f"must be null with kind {self.kind}, found {self.horizon}"


class Losses(Section):
    """Where the losses are, how they are written, and what may be dropped."""

    files: Files = key("The files to read.")
    reader: Annotated[str, OneOf(READER_NAMES)] = key(
        "How the files are written (docs/own-runs.md); auto takes long if the table has the "
        "column validation_domain, and else wide.",
        default="auto",
    )
    size: str | Number | None = key(
        "Size of all runs if the table does not state it: a label such as 1B, or parameters.",
        default=None,
    )
    sizes: dict[str, Positive] = key(
        "N, the non-embedding parameters of each size label. A label such as 70M needs no entry.",
        unit="parameters",
        default_factory=dict,
    )
    compute_params: dict[str, Positive] = key(
        "Training FLOPs per token / 6 of each size label and of the target's; N if absent.",
        unit="parameters",
        default_factory=dict,
    )
    tokens: Positive | None = key(
        "Training tokens of all losses if the table has neither tokens nor step.",
        unit="tokens",
        default=None,
    )
    tokens_per_step: Positive | None = key(
        "Tokens of one optimizer step, for a table that has step and no tokens.",
        unit="tokens",
        default=None,
    )
    loss_columns: str = key(
        "For all readers but long: names of the columns that hold losses, with * for the "
        "validation domain.",
        default="loss/*",
    )
    unit: Literal["nats", "bits", "perplexity"] | None = key(
        "Unit of the losses, per token. null means nats, and refuses values that look like "
        "something else.",
        default=None,
    )
    schedule: Schedule = key("The learning-rate schedule of the runs.", default_factory=Schedule)
    drop: Annotated[list[Annotated[str, OneOf(DROP_RULES)]], Unique()] = key(
        "What to leave out instead of refusing it: checkpoints with a loss that is not finite, "
        "checkpoints that lack a validation domain (incomplete), runs whose loss rises with "
        "tokens, checkpoints with a spike. The page lists what was dropped.",
        default_factory=list,
    )
    accept: Annotated[list[Annotated[str, OneOf(ACCEPT_RULES)]], Unique()] = key(
        "What to keep instead of refusing it.", default_factory=list
    )


class Weights(Section):
    """Weights of the validation domains."""

    weights: dict[str, Annotated[Number, Field(ge=0)]] | None = key(
        "s_i, the weight of each validation domain in the overall loss; they sum to 1. null "
        "weights all of them alike.",
        default=None,
    )

    def problems(self) -> Iterator[Problem]:
        """Yield a problem if the weights do not sum to 1."""
        if self.weights is not None and abs((total := sum(self.weights.values())) - 1) > 1e-6:
            yield "weights", f"must sum to 1, found {total:.6g}"


class OwnTarget(Section):
    """The large run whose mixture is to be decided."""

    size: str | Number | None = key(
        "A label of the table's sizes, or a number of parameters (1B is 1_000_000_000); null means "
        "the largest size of the table.",
        default=None,
    )
    tokens: Positive | None = key(
        "Training tokens D; null means the last tokens that all runs of that size have.",
        unit="tokens",
        default=None,
    )


class FewReplicates(Uncertainty):
    """How the intervals are made; fewer refits than by default, for an answer within a minute."""

    replicates: Integer = key("Number of bootstrap refits.", default=100, ge=10)


class LossesExperiment(Root):
    """Every key of a config file with `losses`, which trains nothing."""

    experiment: Name = key("Name of the experiment; results go to results/{experiment}/.")
    seed: Integer = key("Seed of bootstrap draws.", default=0, ge=0)
    losses: Losses = key("The losses: where they are and how they are written.")
    validation: Weights = key("Weights of the validation domains.", default_factory=Weights)
    target: OwnTarget = key(
        "The large run whose mixture is to be decided.", default_factory=OwnTarget
    )
    mixtures: StatedMixtures = key(
        "Mixtures whose shares you state, to compare the optimum with.",
        default_factory=StatedMixtures,
    )
    available_tokens: dict[str, Positive] = key(
        "Tokens of each domain that the target may draw from, times optimum.max_epochs; no limit "
        "for a domain that is not named.",
        unit="tokens",
        default_factory=dict,
    )
    laws: Laws = key("The laws that predict the losses.", default_factory=Laws)
    uncertainty: FewReplicates = key(
        "The bootstrap over mixtures that gives the intervals.", default_factory=FewReplicates
    )
    optimum: Optimum = key(
        "The objective that the optimum minimises, and its limits.", default_factory=Optimum
    )
    recipes: Recipes = key(
        "What the recipes for trainers must know of the text.", default_factory=Recipes
    )
    compute_budget: ComputeBudget | None = optional(
        "Ask which size and tokens are best for a number of FLOPs. Absent means off."
    )

    def problems(self) -> Iterator[Problem]:
        """Yield the contradictions between sections."""
        mixtures = self.mixtures
        yield from share_problems(mixtures)
        has_natural = mixtures.natural is not None
        yield from prior_problems(self.optimum.prior, mixtures, has_natural=has_natural)
        if both := sorted(set(self.losses.drop) & set(self.losses.accept)):
            yield "losses.accept", f"must not repeat losses.drop, found {', '.join(both)} in both"


LATTICE = 64
"""The optimum of imported losses is rounded to multiples of 1/64 for the recipes."""


def stage_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of each stage from a complete config: plain values, for rules and API."""
    losses, weights = config["losses"], config["validation"]["weights"]
    target = {
        **config["target"],
        **schedule_options(losses["schedule"]),
        "compute_params": losses["compute_params"],
    }
    common = {"target": target, "weights": weights}
    names = ("losses", "mixtures", "available_tokens", "optimum")
    return {
        "import": {"weights": weights} | {name: config[name] for name in names},
        "score": common | {"laws": config["laws"]},
        "fit": common | {"level": config["uncertainty"]["level"]},
        "decide": common
        | {name: config[name] for name in ("optimum", "uncertainty", "seed", "available_tokens")}
        | {"measured_factor": 0},
        "budget": {"compute_budget": config.get("compute_budget")},
        "lattice": LATTICE,
        "recipes": config["recipes"],
    }
