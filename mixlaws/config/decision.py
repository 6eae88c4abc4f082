"""The config's sections on mixtures, laws, uncertainty and the optimum."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mixlaws.config.section import (
    DomainName,
    Flag,
    Integer,
    Limit,
    Number,
    OneOf,
    Section,
    Share,
    Unique,
    key,
    optional,
)
from mixlaws.laws.mixing import DECIDING_LAWS
from mixlaws.mixtures.designs import DESIGNS, MAX_HELD_OUT

Shares = Annotated[dict[str, Share], Field(min_length=1)]


class StatedMixtures(Section):
    """Mixtures whose shares you state, to compare the optimum with."""

    natural: Shares | None = key(
        "Shares of the text that you have, to compare the optimum with; null leaves this baseline "
        "out.",
        default=None,
    )
    named: dict[DomainName, Shares] = key(
        "Mixtures of your own by name, as ours: {web: 0.6, code: 0.4}. The page compares the "
        "optimum with each, and recipes/ has a folder for it.",
        default_factory=dict,
    )


class Mixtures(StatedMixtures):
    """Mixtures to train proxies on; uniform is always included."""

    natural: Shares | None = key(
        "Shares of the natural mixture: of the text that you really have. null counts them in the "
        "text that the experiment reads.",
        default=None,
    )
    train_natural: Flag = key(
        "Whether proxies are trained on the natural mixture. If not, it is only predicted where "
        "its shares are stated, and left out otherwise.",
        default=True,
    )
    train_named: Annotated[list[str], Unique()] = key(
        "Names of mixtures.named that proxies are trained on. The others are only predicted.",
        default_factory=list,
    )
    design: Annotated[str, OneOf(tuple(DESIGNS))] = key(
        "How mixtures are sampled: greedy maximin in sqrt(r), a Dirichlet distribution, or the "
        "paper's double-diminishing rule.",
        default="maximin",
    )
    count: Integer | None = key(
        "Number of sampled mixtures; null takes 2.5 per domain + 2.", default=None, ge=1
    )
    held_out: Integer = key(
        "Number of mixtures that are trained but left out of every fit, to score the laws.",
        default=2,
        ge=0,
        le=MAX_HELD_OUT,
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
    """The laws that predict the losses."""

    pipeline: Literal["auto", "nested", "joint", "loglog"] = key(
        "nested fits step, size and mixing law in turn; joint fits one law in (N, D, r); loglog "
        "fits straight log-log lines; auto takes the better of nested and joint on folds.",
        default="auto",
    )
    mixing: Annotated[str, OneOf(("auto", *DECIDING_LAWS))] = key(
        "The mixing law; auto takes the additive one unless the folds prefer another.",
        default="auto",
    )
    early_cut: Number = key(
        "Share of each run's tokens, from its start, that the step law leaves out.",
        default=0.2,
        ge=0,
        lt=1,
    )


class Uncertainty(Section):
    """How the intervals are made: those of shares by a bootstrap over mixtures."""

    replicates: Integer = key("Number of bootstrap refits.", default=200, ge=10)
    level: Number = key("Coverage of the intervals.", default=0.9, gt=0, lt=1)


class Group(Section):
    """Limits on the summed share of several domains."""

    domains: list[str] = key("Training domains whose shares are summed.", min_length=1)
    limits: Limit = key("Lower and upper limit of the sum.")


class Prior(Section):
    """A penalty that pulls the optimum towards a mixture."""

    mixture: str = key(
        "The mixture that the optimum is pulled to: uniform, natural, or one of mixtures.named."
    )
    strength: Number = key(
        "Penalty per unit of Kullback-Leibler divergence from that mixture.", unit="nats", gt=0
    )


class Optimum(Section):
    """The objective that the optimum minimises, and its limits."""

    maximum_share: Number = key(
        "0 minimises the weighted mean of the validation losses, 1 the largest loss with a weight, "
        "and a value between them a combination of both.",
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
    prior: Prior | None = optional("Pulls the optimum towards a mixture; absent means no pull.")
    max_epochs: Number = key(
        "How many times the target may see a domain's available_tokens.",
        unit="epochs",
        default=4,
        gt=0,
    )
