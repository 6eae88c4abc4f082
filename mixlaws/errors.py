"""The errors a user can cause.

Each message says what is wrong, where, and what to do.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class ConfigError(ValueError):
    """The config asks for something inconsistent or impossible."""


class DataError(ValueError):
    """An input file is missing, damaged or not what the config says it is."""


class FitError(ValueError):
    """A law cannot be fitted to the losses at hand."""


class TrainingError(ValueError):
    """A run cannot go on: its loss diverged, or the device is too small for it."""


@contextmanager
def located(place: str) -> Iterator[None]:
    """Put the place before the message of a ConfigError or DataError that is raised inside."""
    try:
        yield
    except (ConfigError, DataError) as error:
        raise type(error)(f"{place}: {error}") from error
