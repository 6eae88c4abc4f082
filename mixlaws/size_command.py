"""The command `mixlaws size`: the best size and tokens for a number of FLOPs, from the results."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from mixlaws.config.complete import AnyExperiment, read_config
from mixlaws.config.losses import LossesExperiment, stage_settings
from mixlaws.config.published import PublishedExperiment
from mixlaws.decision.counting import COUNTS, RULE
from mixlaws.errors import ConfigError, DataError
from mixlaws.runs.sweep import describe_target, measured_factor

SUMMARY = "print which size and how many tokens are best for a number of FLOPs"
FILES = {
    "losses": "losses.parquet",
    "runs": "runs.csv",
    "mixtures": "mixtures.csv",
    "choice": "laws/choice.json",
    "law": "laws/law.json",
    "replicates": "laws/replicates.parquet",
}
ACCOUNTING = "accounting.csv"


def add_size(commands: Any) -> None:
    """Add the command to the parsers of `mixlaws`."""
    size = commands.add_parser("size", help=SUMMARY, description=SUMMARY)
    size.add_argument("--configfile", type=Path, default=Path("config.yaml"))
    size.add_argument("--directory", type=Path, default=Path(), help="the folder with results/")
    size.add_argument("--flops", type=_flops, help="as 1e21; by default the config's")
    size.add_argument("--mixture", help="id of a trained mixture; by default the config's")
    size.add_argument("--count", choices=COUNTS, help="how FLOPs are counted; by default 6ND")
    size.add_argument("--json", action="store_true", help="print the record of budget.json")
    size.set_defaults(run=_size)


def _flops(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of FLOPs such as 1e21")
    return number


def _size(arguments: argparse.Namespace) -> None:
    # Imported here: pandas takes a second, and the other commands do without.
    from mixlaws.report.budget import describe_budget

    config = read_config(arguments.configfile)
    folder = arguments.directory / "results" / config.experiment
    record = _answer(config, folder, _asked(config, arguments))
    print(json.dumps(record, indent=2) if arguments.json else describe_budget(record))


def _asked(config: AnyExperiment, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the compute_budget of the config, as far as the arguments do not replace it."""
    stated = config.compute_budget
    given = {name: getattr(arguments, name) for name in ("flops", "mixture", "count")}
    asked = {"mixture": None, "count": RULE} | (stated.model_dump() if stated else {})
    asked |= {name: value for name, value in given.items() if value is not None}
    if "flops" not in asked:
        raise ConfigError(
            "no number of FLOPs is given. State --flops 1e21, or compute_budget.flops"
        )
    return asked


def _answer(config: AnyExperiment, folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    if isinstance(config, PublishedExperiment):
        from mixlaws.paper.budget import answer_published

        return answer_published(folder, config.model_dump() | {"compute_budget": asked})[0]
    from mixlaws.decision.compute_budget import answer

    inputs = {name: str(folder / path) for name, path in FILES.items()}
    if missing := [path for path in inputs.values() if not Path(path).exists()]:
        raise DataError(
            f"{missing[0]} does not exist. Run the experiment {config.experiment} first"
        )
    if (folder / ACCOUNTING).exists():
        inputs["accounting"] = str(folder / ACCOUNTING)
    return answer(inputs, _settings(config) | {"compute_budget": asked})[0]


def _settings(config: Any) -> dict[str, Any]:
    """Return the settings of `find_optimum`, as the rules have them."""
    if isinstance(config, LossesExperiment):
        return dict(stage_settings(config.model_dump())["decide"])
    complete = config.model_dump()
    settings = {name: complete[name] for name in ("optimum", "uncertainty", "seed")}
    stated = {domain: source.available_tokens for domain, source in config.domains.items()}
    return settings | {
        "target": describe_target(config),
        "weights": complete["validation"]["weights"],
        "available_tokens": stated,
        "measured_factor": measured_factor(config),
    }
