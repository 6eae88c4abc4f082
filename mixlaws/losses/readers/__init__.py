"""Readers of published losses: each makes a swarm from files and options.

A new reader is one file here and one entry in READERS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mixlaws.losses.readers.data_mixing_laws import read_data_mixing_laws
from mixlaws.losses.readers.regmix import read_regmix
from mixlaws.losses.swarm import Swarm

Reader = Callable[[Mapping[str, Any], Mapping[str, Path]], Swarm]
"""(options, local path of each file by name) -> swarm; the reader's docstring names them."""

READERS: dict[str, Reader] = {
    "data_mixing_laws": read_data_mixing_laws,
    "regmix": read_regmix,
}
