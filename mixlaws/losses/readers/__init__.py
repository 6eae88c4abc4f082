"""Readers of losses: each makes a swarm from files and options.

A new reader is one file here, one entry in READERS and one name in the config's READER_NAMES. The
logs of the paper have a config of their own, `published`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mixlaws.losses.readers.data_mixing_laws import read_data_mixing_laws
from mixlaws.losses.readers.exports import read_olmix, read_wandb
from mixlaws.losses.readers.regmix import read_regmix
from mixlaws.losses.readers.tables import read_auto, read_long, read_wide
from mixlaws.losses.readers.trackers import read_csv_logger, read_tensorboard
from mixlaws.losses.swarm import Swarm

Reader = Callable[[Mapping[str, Any], Mapping[str, Path]], Swarm]
"""(the config's `losses`, local path of each file by name) -> swarm."""

READERS: dict[str, Reader] = {
    "auto": read_auto,
    "long": read_long,
    "wide": read_wide,
    "regmix": read_regmix,
    "csv_logger": read_csv_logger,
    "tensorboard": read_tensorboard,
    "olmix": read_olmix,
    "wandb": read_wandb,
    "data_mixing_laws": read_data_mixing_laws,
}
