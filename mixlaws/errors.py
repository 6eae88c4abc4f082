"""The errors a user can cause.

Each message says what must hold, what was found, where, and what to do.
"""


class ConfigError(ValueError):
    """The config asks for something inconsistent or impossible."""


class DataError(ValueError):
    """An input file is missing, damaged or not what the config says it is."""


class FitError(ValueError):
    """A law cannot be fitted to the losses at hand."""


class TrainingError(ValueError):
    """A run cannot go on: its loss diverged, or the device is too small for it."""
