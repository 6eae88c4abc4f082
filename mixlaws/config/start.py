"""What is checked when a workflow starts: the config, and the files that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mixlaws.config.complete import AnyExperiment, read_sections
from mixlaws.config.experiment import Experiment
from mixlaws.config.given import check_given_files
from mixlaws.config.merged import with_origins
from mixlaws.config.repeated_keys import check_repeated_keys


def start_sections(
    config: Mapping[str, Any],
    paths: Sequence[str | Path],
    given: Mapping[str, Any],
    *,
    is_main: bool,
) -> AnyExperiment:
    """Return the sections of a config that Snakemake merged from files and from --config.

    The jobs of a workflow (`is_main` is false) do not check again what was checked at its start.
    Raises the errors of `check_repeated_keys`, `read_sections` and `check_given_files`; those about
    the config say where its values came from.
    """
    check_repeated_keys(paths)
    with with_origins(paths, given, is_told=is_main):
        sections = read_sections(config, is_checked=not is_main)
    if is_main and isinstance(sections, Experiment):
        check_given_files(sections)
    return sections
