"""Data mixing laws: which domains to train a language model on, and how sure one can be.

`read_swarm`, `fit`, `predict`, `decide` and `write_report` analyse losses from Python; see
`mixlaws.api`, which is imported with the first of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["OwnLaw", "Swarm", "decide", "fit", "predict", "read_swarm", "write_report"]


def __getattr__(name: str) -> Any:
    """Import the functions of `mixlaws.api` when one is first used: they need pandas and scipy."""
    if name in __all__:
        return getattr(import_module("mixlaws.api"), name)
    raise AttributeError(f"module 'mixlaws' has no attribute {name!r}")
