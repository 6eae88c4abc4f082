"""The command `mixlaws fit`: from two tables of losses and mixtures to the page, in one call."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mixlaws.config.losses import ACCEPT_RULES, DROP_RULES, READER_NAMES
from mixlaws.losses.counts import parse_count, parse_target
from mixlaws.provenance import COMMAND

SUMMARY = "fit laws to losses that you have, and write the results and the page"
PROCESSES = 2


def add_fit(commands: Any) -> None:
    """Add the command to the parsers of `mixlaws`."""
    fit = commands.add_parser("fit", help=SUMMARY, description=SUMMARY)
    add_tables(fit, required=True)
    fit.add_argument("--name", default="own_losses", help="results go to results/NAME")
    fit.add_argument("--directory", type=Path, default=Path(), help="the folder with results/")
    fit.add_argument("--target", help="SIZE or SIZE:TOKENS, as 1B:100B; by default the runs' own")
    fit.add_argument("--schedule", choices=("unknown", "constant", "cosine"))
    fit.add_argument("--warmup-steps", type=int, help="of the schedule")
    fit.add_argument("--horizon", type=int, help="step at which the cosine ends")
    fit.add_argument("--natural", type=parse_shares, help="shares of the text that you have")
    own = "a mixture to compare, as ours:web=0.6,code=0.4; may be repeated"
    fit.add_argument("--named", action="append", type=_mixture, default=[], help=own)
    fit.add_argument("--tokens-per-document", type=_counts, help="for recipes, as web=812,...")
    fit.add_argument("--available", type=_counts, help="tokens of domains, as web=60B,code=9B")
    fit.add_argument("--compute-params", type=_counts, help="FLOPs per token / 6, as 70M=95M,...")
    fit.add_argument("--pipeline", help="the config's laws.pipeline; by default the folds choose")
    fit.add_argument("--mixing", help="the config's laws.mixing; by default the folds choose")
    fit.add_argument("--replicates", type=int, help="bootstrap refits; 100 by default")
    fit.set_defaults(run=_fit)


def add_tables(command: argparse.ArgumentParser, *, required: bool) -> None:
    """Add the options that name and read two tables of losses and mixtures."""
    command.add_argument(
        "--losses", required=required, help="table of the losses (docs/own-runs.md)"
    )
    command.add_argument("--mixtures", required=required, help="table of the mixtures: id, domains")
    command.add_argument("--reader", choices=READER_NAMES, default="auto")
    command.add_argument("--size", help="size of all runs if the table does not state it, as 70M")
    command.add_argument("--tokens", type=parse_positive, help="tokens of all losses, as 100B")
    command.add_argument(
        "--tokens-per-step", type=parse_positive, help="for a table with step alone"
    )
    command.add_argument("--loss-columns", help="columns with losses, as 'metric/*_val_loss'")
    command.add_argument("--unit", choices=("nats", "bits", "perplexity"))
    command.add_argument("--drop", nargs="+", choices=DROP_RULES, default=[])
    command.add_argument("--accept", nargs="+", choices=ACCEPT_RULES, default=[])
    command.add_argument(
        "--weights", type=parse_shares, help="of validation domains, as web=0.6,code=0.4"
    )


def parse_positive(text: str) -> float:
    """Return the count above 0 that a text such as 100B states; for argparse."""
    number = parse_count(text)
    if number is None or number <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no count such as 100B")
    return int(number) if number.is_integer() else number


def _by_name(convert: Callable[[str], float], text: str) -> dict[str, float]:
    parts = [part.partition("=") for part in text.split(",")]
    try:
        return {name.strip(): convert(value) for name, _, value in parts}
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=NUMBER,NAME=NUMBER") from None


def parse_shares(text: str) -> dict[str, float]:
    """Return the numbers by name that NAME=NUMBER,NAME=NUMBER states; for argparse."""
    return _by_name(float, text)


def _counts(text: str) -> dict[str, float]:
    return _by_name(parse_positive, text)


def _mixture(text: str) -> tuple[str, dict[str, float]]:
    name, colon, shares = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:DOMAIN=SHARE,DOMAIN=SHARE")
    return name.strip(), parse_shares(shares)


def config_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the config that the arguments describe, as a file in experiments/ would state it."""
    schedule = {
        "kind": arguments.schedule,
        "warmup_steps": arguments.warmup_steps,
        "horizon": arguments.horizon,
    }
    losses = tables_of(arguments) | {
        "schedule": _stated(schedule),
        "compute_params": arguments.compute_params,
    }
    return {
        "experiment": arguments.name,
        "losses": _stated(losses),
        "validation": {"weights": arguments.weights},
        "target": parse_target(arguments.target),
        "mixtures": {"natural": arguments.natural, "named": dict(arguments.named)},
        "recipes": _stated({"tokens_per_document": arguments.tokens_per_document}),
        "available_tokens": arguments.available or {},
        "laws": _stated({"pipeline": arguments.pipeline, "mixing": arguments.mixing}),
        "uncertainty": _stated({"replicates": arguments.replicates}),
    }


def tables_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the part of the config's `losses` that the options of `add_tables` state."""
    names = (
        *("reader", "size", "tokens", "tokens_per_step", "loss_columns", "unit"),
        *("drop", "accept"),
    )
    files = {"losses": arguments.losses, "mixtures": arguments.mixtures}
    return _stated({"files": files} | {name: getattr(arguments, name) for name in names})


def _stated(options: dict[str, Any]) -> dict[str, Any]:
    """Leave out what was not given, so that the config's defaults hold."""
    return {name: value for name, value in options.items() if value is not None}


def _fit(arguments: argparse.Namespace) -> None:
    # Imported here: the other commands do without pandas and matplotlib.
    from mixlaws.config.complete import complete_config
    from mixlaws.own_losses import fit_losses

    os.environ.setdefault(COMMAND, shlex.join(["mixlaws", *sys.argv[1:]]))  # the page shows it
    config = complete_config(config_of(arguments))
    folder = arguments.directory / "results" / config["experiment"]
    page = fit_losses(config, folder, processes=PROCESSES)
    print(page)
