"""Read and check a config: fill in every default, or list all problems at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from mixlaws.config.experiment import Experiment
from mixlaws.config.losses import LossesExperiment
from mixlaws.config.published import PublishedExperiment
from mixlaws.config.repeated_keys import check_repeated_keys
from mixlaws.config.section import CHECKED
from mixlaws.config.words import explain
from mixlaws.errors import ConfigError, list_problems


def complete_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config with every default filled in, as plain built-ins.

    Rules pass parts of it as params, and Snakemake compares only built-ins with the last run.
    Raises the ConfigError of `read_sections`.
    """
    return read_sections(config).model_dump()


AnyExperiment = Experiment | PublishedExperiment | LossesExperiment


def read_sections(config: Mapping[str, Any], *, is_checked: bool = False) -> AnyExperiment:
    """Return the sections of a config; one with `published` or `losses` has different sections.

    With `is_checked` keys are not checked against each other again: so it is in the jobs of a
    workflow whose config was checked when it started.

    Raises ConfigError listing every problem with its key and the value found.
    """
    root: type[AnyExperiment] = Experiment
    if "published" in config:
        root = PublishedExperiment
    elif "losses" in config:
        root = LossesExperiment
    try:
        return root.model_validate(dict(config), context=CHECKED if is_checked else None)
    except ValidationError as error:
        problems = explain(root, error.errors(include_url=False))
        raise ConfigError(f"the config has {list_problems(problems)}") from None


def read_config(path: Path) -> AnyExperiment:
    """Return the sections of a config file.

    Raises ConfigError if the file does not exist, if it is not a YAML mapping, if a key occurs
    twice, and in the cases of `read_sections`.
    """
    if not path.is_file():
        raise ConfigError(f"there is no config file {path}. Name one with --configfile")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path} is not valid YAML: {reason}. Correct the file") from error
    if not isinstance(config, dict):
        raise ConfigError(f"{path} has no keys. Copy config.yaml and change it")
    check_repeated_keys([path])
    return read_sections(config)
