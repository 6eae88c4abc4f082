"""The errors a user can cause.

Each message states the problem, then the place, then what to do about it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class UserError(ValueError):
    """Something that whoever runs the program can put right: its message is all that is shown."""


class ConfigError(UserError):
    """The config asks for something inconsistent or impossible."""


class DataError(UserError):
    """An input file is missing, damaged or not what the config says it is."""


class FitError(UserError):
    """A law cannot be fitted to the losses at hand."""


class TrainingError(UserError):
    """A run cannot go on: its loss diverged, or the device is too small for it."""


@contextmanager
def located(place: str) -> Iterator[None]:
    """Put the place before the message of a ConfigError or DataError that is raised inside."""
    try:
        yield
    except (ConfigError, DataError) as error:
        raise type(error)(f"{place}: {error}") from error


def list_problems(problems: Sequence[str]) -> str:
    """Return how many problems there are, and one line for each."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return "\n".join([f"{count}:", *(f"  - {problem}" for problem in problems)])


def one_message(error: BaseException) -> str:
    """Return an error as it is shown: its kind and its message, without a traceback."""
    return f"{type(error).__name__}: {error}"


def check_program_path(path: str) -> None:
    """Raise ConfigError if Snakemake cannot start jobs with the Python at a path.

    It writes the path into a shell command without quotes.
    """
    if odd := sorted(set(re.findall(r"[^\w@%+=:,./~^-]", path))):
        raise ConfigError(
            f"Snakemake cannot start jobs with the Python at {path!r}: the path has "
            f"{', '.join(map(repr, odd))}. Give the project's folder a name of letters, digits, "
            "dots and hyphens, or make the environment (.venv) in a folder that has one"
        )


@contextmanager
def ending_with_one_message() -> Iterator[None]:
    """Turn a user's error inside the block into the end of the program, with its message alone.

    Also a decorator. Raises SystemExit, which prints the message to stderr.
    """
    try:
        yield
    except UserError as error:
        sys.exit(one_message(error))
