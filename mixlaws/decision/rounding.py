"""The optimum on the lattice: what a confirmation trains on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixlaws.errors import ConfigError
from mixlaws.files import read_json, write_json
from mixlaws.mixtures.lattice import round_to_lattice


def round_optimum(optimum: str | Path, rounded: str | Path, *, lattice: int) -> None:
    """Read optimum.json and write target_mixture.json: its proportions as parts of `lattice`."""
    write_json(round_decision(read_json(optimum), lattice=lattice), rounded)


def round_decision(optimum: Mapping[str, Any], *, lattice: int) -> dict[str, Any]:
    """Return the optimum on the lattice, within its limits.

    Where no lattice point meets them (a pinned share of 0.3, say), within a lattice step of them.
    """
    proportions = optimum["proportions"]
    shares = list(proportions.values())
    limits = {domain: optimum["limits"][domain] for domain in proportions}
    try:
        counts = round_to_lattice(shares, lattice, limits)
    except ConfigError:
        step = 1 / lattice
        wider = {d: (max(low - step, 0.0), high + step) for d, (low, high) in limits.items()}
        counts = round_to_lattice(shares, lattice, wider)
    rounded = dict(zip(proportions, (counts / lattice).tolist(), strict=True))
    return {"mixture": "optimum", "lattice": lattice, "proportions": rounded}
