"""Import losses that you have: read and check them, and write the swarm with a record of it all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mixlaws.errors import ConfigError
from mixlaws.files import file_sha256, write_json
from mixlaws.losses.experiment import equal_weights
from mixlaws.losses.readers import READERS
from mixlaws.losses.swarm import Swarm
from mixlaws.losses.tables import mixture_table
from mixlaws.mixtures.lattice import NATURAL, UNIFORM, Mixture, whole_shares
from mixlaws.results import BASELINE, NAMED
from mixlaws.tables import write_table


def import_losses(outputs: Mapping[str, str | Path], settings: Mapping[str, Any]) -> None:
    """Read losses with the reader that the config names; write losses, runs, mixtures, dropped and
    imported.

    `settings` are the config's losses, weights, mixtures, optimum and available_tokens. Raises
    DataError that lists all that is wrong with the tables, and ConfigError for names in the config
    that the tables do not have.
    """
    write_import(read_swarm(settings["losses"]), outputs, settings)


def write_import(
    swarm: Swarm, outputs: Mapping[str, str | Path], settings: Mapping[str, Any]
) -> None:
    """Write what `import_losses` does, of a swarm that was read already."""
    check_names(swarm, settings)
    mixtures = _with_baselines(swarm, settings)
    write_table(swarm.losses, outputs["losses"])
    write_table(swarm.runs, outputs["runs"])
    write_table(mixtures, outputs["mixtures"])
    write_table(swarm.dropped, outputs["dropped"])
    write_json(import_record(swarm, settings), outputs["imported"])


def read_swarm(options: Mapping[str, Any]) -> Swarm:
    """Return the swarm that the config's `losses` describe; raise DataError if it is wrong."""
    files = {name: Path(path) for name, path in options["files"].items()}
    return READERS[options["reader"]](options, files)


def check_names(swarm: Swarm, settings: Mapping[str, Any]) -> None:
    """Raise ConfigError that lists every domain in the config that the tables do not have."""
    if problems := list(_unknown_names(swarm, settings)):
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise ConfigError(f"the config names domains that the tables do not have:\n{lines}")


def _unknown_names(swarm: Swarm, settings: Mapping[str, Any]) -> Iterator[str]:
    optimum = settings["optimum"]
    grouped = [name for group in optimum["groups"].values() for name in group["domains"]]
    domains, measured = list(swarm.domains), list(swarm.validation_domains)
    places: list[tuple[str, Sequence[str], list[str], str]] = [
        ("validation.weights", list(settings["weights"] or ()), measured, "validation domains"),
        ("mixtures.natural", list(settings["mixtures"]["natural"] or ()), domains, "domains"),
        *(
            (f"mixtures.named.{name}", list(shares), domains, "domains")
            for name, shares in settings["mixtures"]["named"].items()
        ),
        ("available_tokens", list(settings["available_tokens"]), domains, "domains"),
        ("optimum.limits", list(optimum["limits"]), domains, "domains"),
        ("optimum.groups", grouped, domains, "domains"),
    ]
    for place, found, known, words in places:
        if unknown := [name for name in found if name not in known]:
            listed = ", ".join(known[:30])
            yield f"{place}: {', '.join(unknown)}. The {words} are {listed}"


def _with_baselines(swarm: Swarm, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Return the mixtures with the stated ones, and with uniform if the prior needs it."""
    domains, added, stated = list(swarm.domains), [], settings["mixtures"]
    if stated["natural"] is not None:
        added.append(Mixture(NATURAL, BASELINE, whole_shares(stated["natural"], domains)))
    prior = settings["optimum"].get("prior")
    if prior and prior["mixture"] == UNIFORM:
        added.append(Mixture(UNIFORM, BASELINE, dict.fromkeys(domains, 1 / len(domains))))
    for name, shares in stated["named"].items():
        added.append(Mixture(name, NAMED, whole_shares(shares, domains)))
    known = set(swarm.mixtures["id"])
    if clash := [mixture.id for mixture in added if mixture.id in known]:
        raise ConfigError(
            f"the table of mixtures has {', '.join(clash)} already. Rename that mixture, or do not "
            f"state {clash[0]}"
        )
    if not added:
        return swarm.mixtures
    return pd.concat([swarm.mixtures, mixture_table(added)], ignore_index=True)


def import_record(swarm: Swarm, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return import.json: where the losses came from, what they hold, what was changed."""
    options, weights = settings["losses"], settings["weights"]
    paths = {name: Path(path) for name, path in options["files"].items()}
    sizes = swarm.losses.groupby("size")["tokens"].nunique()
    return {
        "reader": options["reader"],
        "files": {
            name: {"path": str(path), "sha256": file_sha256(path) if path.is_file() else None}
            for name, path in paths.items()
        },
        "num_losses": len(swarm.losses),
        "num_runs": len(swarm.runs),
        "num_mixtures": int(swarm.runs["mixture"].nunique()),
        "sizes": {name: float(count) for name, count in swarm.num_params.items()},
        "num_checkpoints": {str(name): int(count) for name, count in sizes.items()},
        "domains": list(swarm.domains),
        "validation_domains": list(swarm.validation_domains),
        "weights": weights or equal_weights(swarm.validation_domains),
        "schedule": options["schedule"]["kind"],
        "knows_compute": "compute_params" in swarm.runs,
        "num_dropped": len(swarm.dropped),
        "remarks": [*swarm.remarks, *_support(swarm)],
    }


def _support(swarm: Swarm) -> Iterator[str]:
    """Yield what the runs cannot tell, and what is therefore not fitted."""
    checkpoints = swarm.losses.groupby(["size", "mixture", "seed"])["step"].nunique()
    if len(swarm.num_params) == 1:
        size = next(iter(swarm.num_params))
        yield (
            f"All runs have one size, {size}: no law in size is fitted, and nothing is said about "
            "losses at another size."
        )
    if (most := int(checkpoints.max())) < 3:
        words = "one checkpoint" if most == 1 else f"{most} checkpoints"
        yield (
            f"Each run has {words}: no law in tokens is fitted, and nothing is said about losses "
            "at other tokens."
        )
    if (swarm.runs.groupby(["size", "mixture"])["seed"].nunique() == 1).all():
        yield "Every mixture has one seed per size: the noise between seeds is not known."
