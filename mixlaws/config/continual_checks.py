"""Checks of a config whose runs start from a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mixlaws.config.section import Problem
from mixlaws.runs.replay import make_replay

if TYPE_CHECKING:
    from mixlaws.config.experiment import Experiment


def tokenizer_of(initial: Mapping[str, Any]) -> str | None:
    """Return the path of the tokenizer of a model, given the keys of `training.initial`."""
    if isinstance(experiment := initial.get("experiment"), str):
        return f"results/{experiment}/tokens/tokenizer.json"
    if isinstance(folder := initial.get("folder"), str):
        return f"{folder}/tokenizer.json"
    return None


def continual_problems(config: Experiment) -> Iterator[Problem]:
    """Yield what contradicts the model to start from, or the shares to train at."""
    initial = config.training.initial
    if initial is not None and not any(initial.problems()):
        yield from _initial_problems(config, initial.model_dump())
    if config.continual is not None:
        yield from _replay_problems(config)


def _initial_problems(config: Experiment, initial: Mapping[str, Any]) -> Iterator[Problem]:
    training, file = config.training, tokenizer_of(initial)
    if config.tokenizer.file != file:
        yield (
            "tokenizer",
            f"must be left out with training.initial: the model's own tokenizer is used ({file})",
        )
    if "folder" in initial and {*training.sizes, config.target.size} != {training.sizes[0]}:
        named = ", ".join(dict.fromkeys([*training.sizes, config.target.size]))
        yield (
            "training.initial.folder",
            "is one model, so training.sizes and target.size must be one size, found "
            f"{named}. Use `experiment` for a base of each size",
        )


def _replay_problems(config: Experiment) -> Iterator[Problem]:
    section, domains = config.continual, set(config.domains)
    assert section is not None
    if config.training.initial is None:
        yield (
            "training.initial",
            "must be stated with `continual`, to name the base",
        )
    if config.confirmation is not None:
        yield "confirmation", "must be left out with `continual`, whose check is continual.verify"
    measured = domains | set(config.validation.domains)
    original = set(section.original)
    known = {
        "original": (section.original, domains, "domains"),
        "new": (section.new, domains - original, "domains that are not in `original`"),
        "preserve": (section.preserve, measured, "validation domains"),
        "learn": (section.learn, measured, "validation domains"),
    }
    for name, (found, allowed, words) in known.items():
        if unknown := sorted(set(found) - allowed):
            yield (
                f"continual.{name}",
                f"must name {words} ({', '.join(sorted(allowed))}), found {', '.join(unknown)}",
            )
    if not domains - original:
        yield "continual.original", "must leave at least one domain new, found all domains"
    replay = make_replay(section.model_dump(), list(config.domains))
    if unused := sorted(domains - {*replay.original, *replay.new}):
        yield "continual.new", f"must name every new domain, found none of {', '.join(unused)}"
