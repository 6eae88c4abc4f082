"""The config of an experiment that trains models, with the checks between its sections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import model_validator

from mixlaws.config.budget import ComputeBudget
from mixlaws.config.continual import Continual
from mixlaws.config.continual_checks import continual_problems, tokenizer_of
from mixlaws.config.decision import Laws, Mixtures, Optimum, Uncertainty
from mixlaws.config.foreseen import foresee
from mixlaws.config.recipes import Recipes
from mixlaws.config.section import Integer, Name, Problem, Root, key, optional
from mixlaws.config.stated import domain_problems, name_problems, prior_problems, share_problems
from mixlaws.config.text import Domains, Duplicates, Tokenization, Tokenizer, Validation
from mixlaws.config.training import Confirmation, Plan, Size, Target, Training, no_strategy
from mixlaws.runs.shapes import NAMED_SHAPES, Shape
from mixlaws.text.sources import SOURCES


def _default_tokenizer() -> Tokenizer:
    return Tokenizer.model_validate({"train": {"vocabulary_size": 32768}})


class Experiment(Root):
    """Every key of a config file. Write counts as 1_000_000: YAML reads 1e6 as text."""

    experiment: Name = key("Name of the experiment; results go to results/{experiment}/.")
    seed: Integer = key(
        "Seed of designs and bootstrap draws; the seeds of training are training.seeds.",
        default=0,
        ge=0,
    )
    domains: Domains = key(
        "Training domains; every proportion vector r has their order.",
        min_length=2,
    )
    tokenizer: Tokenizer = key(
        "The tokenizer: train one, or give a file or a name.", default_factory=_default_tokenizer
    )
    tokenization: Tokenization = key(
        "Size of the jobs that read and tokenize text. A domain keeps it once it is tokenized. The "
        "token files do not depend on it.",
        default_factory=Tokenization,
    )
    duplicates: Duplicates = key(
        "Near duplicates to remove; exact duplicates are always removed.",
        default_factory=Duplicates,
    )
    validation: Validation = key("Validation domains, and their weights in the overall loss.")
    mixtures: Mixtures = key(
        "Mixtures to train proxies on; uniform is always included.",
        default_factory=Mixtures,
    )
    sizes: dict[Name, Size] = key(
        "Model shapes by name; N is computed from the shape. Pythia's sizes need no entry: "
        f"{', '.join(NAMED_SHAPES)}.",
        default_factory=dict,
    )
    training: Training = key("Training of the proxies. Steps are optimizer steps.")
    plan: Plan = key("The device whose hours `mixlaws plan` estimates.", default_factory=Plan)
    target: Target = key("The large run whose mixture is to be decided.")
    laws: Laws = key("The laws that predict the losses.", default_factory=Laws)
    uncertainty: Uncertainty = key(
        "The bootstrap over mixtures that gives the intervals.", default_factory=Uncertainty
    )
    optimum: Optimum = key(
        "The objective that the optimum minimises, and its limits.", default_factory=Optimum
    )
    compute_budget: ComputeBudget | None = optional(
        "Ask which size and tokens are best for a number of FLOPs. Absent means off."
    )
    confirmation: Confirmation | None = optional(
        "Train the target on the predicted optimum and on other mixtures. Absent means off."
    )
    recipes: Recipes = key(
        "What the recipes for trainers must know of the text.", default_factory=Recipes
    )
    continual: Continual | None = optional(
        "Find the share of the original data that keeps a continued model's loss on them. Absent "
        "means off."
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_tokenizer(cls, config: Any) -> Any:
        """Add the tokenizer of the model that the runs start from."""
        if not isinstance(config, dict) or "tokenizer" in config:
            return config
        training = config.get("training")
        initial = training.get("initial") if isinstance(training, dict) else None
        file = tokenizer_of(initial) if isinstance(initial, dict) else None
        return config if file is None else config | {"tokenizer": {"file": file}}

    @model_validator(mode="before")
    @classmethod
    def _fill_sizes(cls, config: Any) -> Any:
        """Add the shapes of Pythia's sizes, which a config may name without numbers."""
        if not isinstance(config, dict):
            return config
        sizes, training, target = (config.get(name) for name in ("sizes", "training", "target"))
        sizes = {} if sizes is None else sizes
        if not (
            isinstance(training, dict) and isinstance(target, dict) and isinstance(sizes, dict)
        ):
            return config  # the checks of the keys report the wrong types
        proxies = training.get("sizes")
        wanted = [*(proxies if isinstance(proxies, list) else []), target.get("size")]
        keys = ("num_layers", "model_width", "num_heads")
        named = {
            name: dict(zip(keys, NAMED_SHAPES[name], strict=True))
            for name in wanted
            if isinstance(name, str) and name not in sizes and name in NAMED_SHAPES
        }
        return config | {"sizes": sizes | named}

    def problems(self) -> Iterator[Problem]:
        """Yield the contradictions between sections."""
        yield from self._text_problems()
        yield from self._domain_problems()
        yield from self._mixture_problems()
        yield from self._size_problems()
        yield from self._extrapolation_problems()
        yield from self._target_problems()
        yield from self._schedule_problems()
        yield from self._process_problems()
        yield from continual_problems(self)
        yield from foresee(self)

    def _text_problems(self) -> Iterator[Problem]:
        sources = self.domains | self.validation.domains
        given = [name for name, source in sources.items() if not SOURCES[source.source].holds_text]
        if given and self.tokenizer.train is not None:
            yield (
                "tokenizer",
                "must be given (file or name) where domains are token files "
                f"({', '.join(given)}), found train. Name the tokenizer.json that made them",
            )

    def _domain_problems(self) -> Iterator[Problem]:
        training, extra = set(self.domains), set(self.validation.domains)
        if training & extra:
            yield (
                "validation.domains",
                f"must not repeat a training domain, found {_listed(training & extra)}. Remove it "
                "here: a training domain is also measured, on its own validation split",
            )
        grouped = {name for group in self.optimum.groups.values() for name in group.domains}
        named = {
            "validation.weights": (self.validation.weights, "domains", training | extra),
            "optimum.groups": (grouped, "training domains", training),
            "mixtures.limits": (self.mixtures.limits, "training domains", training),
            "optimum.limits": (self.optimum.limits, "training domains", training),
            "recipes.tokens_per_document": (
                self.recipes.tokens_per_document,
                "training domains",
                training,
            ),
        }
        for place, (found, words, known) in named.items():
            if unknown := set(found) - known:
                yield place, f"must name {words} ({_listed(known)}), found {_listed(unknown)}"

    def _mixture_problems(self) -> Iterator[Problem]:
        mixtures = self.mixtures
        yield from share_problems(mixtures)
        yield from domain_problems(mixtures, self.domains)
        has_natural = mixtures.train_natural or mixtures.natural is not None
        yield from prior_problems(self.optimum.prior, mixtures, has_natural=has_natural)
        confirmed = self.confirmation.mixtures if self.confirmation else []
        place = "confirmation.mixtures"
        yield from name_problems(place, confirmed, mixtures, has_natural=has_natural)
        if unknown := sorted(set(mixtures.train_named) - set(mixtures.named)):
            listed = ", ".join(mixtures.named) or "there are none"
            yield (
                "mixtures.train_named",
                f"must name mixtures of mixtures.named ({listed}), found {', '.join(unknown)}",
            )

    def _size_problems(self) -> Iterator[Problem]:
        for name, size in self.sizes.items():
            width = size.model_width // size.num_heads
            if self.training.layout == "neox" and width % 8 and not any(size.problems()):
                yield (
                    f"sizes.{name}",
                    "model_width / num_heads must be a multiple of 8 with training.layout neox, "
                    f"which rotates a quarter of it, found {width}",
                )
        for name in self.training.sizes:
            if name not in self.sizes:
                yield "training.sizes", f"must name sizes ({_some(self.sizes)}), found {name!r}"
        if (name := self.target.size) not in self.sizes:
            yield "target.size", f"must name one of sizes ({_some(self.sizes)}), found {name!r}"

    def _extrapolation_problems(self) -> Iterator[Problem]:
        """Yield a problem if the only proxy size is not the target's: no law can extrapolate."""
        proxies, target = self.training.sizes, self.target.size
        if self.continual is not None:
            return  # without more sizes there is no answer for the target, and the page says so
        if not {*proxies, target} <= self.sizes.keys():
            return
        num_params = {
            name: Shape(**self.sizes[name].model_dump()).num_params for name in {*proxies, target}
        }
        sizes = {num_params[name] for name in proxies}
        if len(sizes) == 1 and num_params[target] not in sizes:
            yield (
                "training.sizes",
                f"losses of one proxy size ({', '.join(proxies)}) cannot be extrapolated to "
                f"another size, the target's {target}. Add sizes to training.sizes (at least two, "
                f"better three), or set target.size to {proxies[0]}",
            )

    def _target_problems(self) -> Iterator[Problem]:
        tokens, batch_tokens = self.target.tokens, self.training.batch_tokens
        if self.confirmation and tokens % batch_tokens:
            yield (
                "target.tokens",
                "must be a multiple of training.batch_size * training.sequence_length "
                f"({batch_tokens:,}) for a confirmation, found {tokens:,}",
            )
        if tokens < (least := self.training.num_steps * batch_tokens):
            yield (
                "target.tokens",
                f"must not be below the tokens of a proxy ({least:,}), found {tokens:,}",
            )

    def _schedule_problems(self) -> Iterator[Problem]:
        training = self.training
        steps, warmup, horizon = training.num_steps, training.warmup_steps, None
        target_steps = self.target.tokens // training.batch_tokens
        if training.schedule != "constant":
            horizon = training.schedule_horizon
        if horizon and horizon < (longest := max(steps, target_steps)):
            yield (
                "training.schedule_horizon",
                f"must not be below the target's last step ({longest:,}), found {horizon:,}",
            )
        if steps <= warmup:
            yield (
                "training.warmup_steps",
                f"must be below training.num_steps ({steps:,}), found {warmup:,}: no proxy would "
                "reach the peak rate",
            )
        end, share = horizon or steps, training.decay_share
        if training.schedule == "wsd" and end > warmup and warmup + share * end > end:
            yield (
                "training.decay_share",
                f"must be at most {1 - warmup / end:.4g}, found {share:g}: with the warm-up of "
                f"{warmup:,} steps the decay must fit into the schedule's {end:,} steps",
            )

    def _process_problems(self) -> Iterator[Problem]:
        training, own = self.training, self.confirmation
        stages = {"training": (training.devices * training.num_nodes, training.strategy)}
        if own and (own.devices or own.num_nodes or own.strategy):
            devices = (own.devices or training.devices) * (own.num_nodes or training.num_nodes)
            strategy = own.strategy or training.strategy
            stages["confirmation"] = (devices, strategy)
            if devices > 1 and strategy == "auto":
                yield "confirmation.strategy", no_strategy(devices)
        for stage, (devices, _) in stages.items():
            multiple = (training.micro_batch_size or 1) * devices
            if training.batch_size % multiple:
                yield (
                    "training.batch_size",
                    "must be a multiple of training.micro_batch_size * devices * num_nodes of "
                    f"{stage} ({multiple}), found {training.batch_size}",
                )


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _some(names: dict[str, Any]) -> str:
    return ", ".join(names)
