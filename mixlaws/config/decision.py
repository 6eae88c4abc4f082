"""Which mixtures are tried, which laws are fitted, and what the optimum may be."""

from __future__ import annotations

from typing import Annotated, Literal

from mixlaws.config.section import (
    Integer,
    Limit,
    Number,
    OneOf,
    Section,
    key,
    optional,
)
from mixlaws.laws.mixing import DECIDING_LAWS
from mixlaws.mixtures.designs import DESIGNS
from mixlaws.mixtures.lattice import NATURAL, UNIFORM


class Mixtures(Section):
    """Which mixtures the proxies are trained on; uniform and natural are always among them."""

    design: Annotated[str, OneOf(tuple(DESIGNS))] = key(
        "Greedy maximin in sqrt(r), the paper's double-diminishing rule, or a Dirichlet.",
        default="maximin",
    )
    count: Integer | None = key(
        "Sampled mixtures; null takes 2.5 per domain + 2.", default=None, ge=1
    )
    held_out: Integer = key(
        "Mixtures that are trained and kept out of every fit, to score the laws.", default=2, ge=0
    )
    lattice: Integer = key(
        "Proportions of sampled mixtures and of the rounded optimum are multiples of 1/lattice.",
        default=64,
        ge=4,
    )
    limits: dict[str, Limit] = key(
        "Lower and upper limit of a domain's share in the sampled mixtures; [0, 1] if absent.",
        default_factory=dict,
    )


class Laws(Section):
    """Which laws make the prediction."""

    pipeline: Literal["auto", "nested", "joint", "loglog"] = key(
        "nested: step, size and mixing law in turn; joint: one law in (N, D, r); loglog: straight "
        "log-log lines; auto: the better of nested and joint by folds.",
        default="auto",
    )
    mixing: Annotated[str, OneOf(("auto", *DECIDING_LAWS))] = key(
        "The mixing law; auto takes the additive one unless the folds prefer another.",
        default="auto",
    )
    early_cut: Number = key(
        "Share of each run's tokens, from its start, left out of the step law.",
        default=0.2,
        ge=0,
        lt=1,
    )


class Uncertainty(Section):
    """How the intervals are made: those of shares by a bootstrap over mixtures."""

    replicates: Integer = key("Bootstrap refits.", default=200, ge=10)
    level: Number = key("Coverage of the intervals.", default=0.9, gt=0, lt=1)


class Group(Section):
    """Limits on the summed share of several domains."""

    domains: list[str] = key("Training domains whose shares are summed.", min_length=1)
    limits: Limit = key("Lower and upper limit of the sum.")


class Prior(Section):
    """A pull of the optimum towards a mixture."""

    mixture: Annotated[str, OneOf((UNIFORM, NATURAL))] = key(
        "The mixture that the optimum is pulled to."
    )
    strength: Number = key(
        "Penalty per unit of Kullback-Leibler divergence from that mixture.", unit="nats", gt=0
    )


class Optimum(Section):
    """What is minimised, within which limits."""

    maximum_share: Number = key(
        "0 minimises the weighted mean of the validation losses, 1 the largest of those with a "
        "weight; between them a mix of both.",
        default=0,
        ge=0,
        le=1,
    )
    limits: dict[str, Limit] = key(
        "Lower and upper limit of a domain's share at the target; available_tokens limits it too.",
        default_factory=dict,
    )
    groups: dict[str, Group] = key(
        "Limits on the summed share of several domains, by a name of your choice.",
        default_factory=dict,
    )
    prior: Prior | None = optional("Pull the optimum towards a mixture; absent means no pull.")
    max_epochs: Number = key(
        "How often the target may see a domain's available_tokens.",
        unit="epochs",
        default=4,
        gt=0,
    )
