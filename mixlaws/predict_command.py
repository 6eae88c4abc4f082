"""The command `mixlaws predict`: the loss of any mixture, from the results of an experiment."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixlaws.errors import ConfigError
from mixlaws.fit_command import parse_positive, parse_shares
from mixlaws.presentation import (
    format_count,
    format_level,
    format_loss,
    format_mixture,
    in_ascii,
)

SUMMARY = "predict the loss of any mixture from the results of an experiment"


def add_predict(commands: Any) -> None:
    """Add the command to the parsers of `mixlaws`."""
    predict = commands.add_parser("predict", help=SUMMARY, description=SUMMARY)
    predict.add_argument("experiment", help="name of the experiment: results/NAME")
    predict.add_argument(
        "--mixture",
        required=True,
        help="shares that sum to 1, as web=0.6,code=0.4, or the name of a mixture on the page",
    )
    predict.add_argument("--size", help="label or count, as 1B; by default the target's")
    predict.add_argument("--tokens", type=parse_positive, help="as 100B; by default the target's")
    predict.add_argument("--json", action="store_true", help="print one JSON record")
    predict.add_argument("--directory", type=Path, default=Path(), help="the folder with results/")
    predict.set_defaults(run=_predict)


def _mixture(text: str) -> str | dict[str, float]:
    """Return the shares that --mixture states, or the name that it is."""
    try:
        return parse_shares(text) if "=" in text else text
    except argparse.ArgumentTypeError as error:
        raise ConfigError(f"--mixture: {error}. Write it as web=0.6,code=0.4") from None


def _predict(arguments: argparse.Namespace) -> None:
    # Imported here: scipy takes most of a second, and the other commands do without.
    from mixlaws.decision.prediction import predict_experiment

    found = predict_experiment(
        arguments.directory / "results" / arguments.experiment,
        _mixture(arguments.mixture),
        size=arguments.size,
        tokens=arguments.tokens,
    )
    record = found.record()
    print(json.dumps(record, indent=2) if arguments.json else as_text(record))


def as_text(record: Mapping[str, Any]) -> str:
    """Return a prediction as a table, in ASCII as far as names allow."""
    target, losses = record["target"], record["losses"]
    width = max(map(len, losses))
    level = format_level(record["level"])
    lines = [
        f"{format_mixture(record['proportions'])}, for {format_count(target['num_params'])} "
        f"parameters and {format_count(target['tokens'])} tokens: loss in nats per token, with the "
        f"{level} interval of the expected loss"
    ]
    for name, each in losses.items():
        value, lower, upper = (format_loss(each[end]) for end in ("value", "lower", "upper"))
        lines.append(f"  {name:<{width}}  {value}  {lower} to {upper}")
    if record["caution"]:
        lines.append(record["caution"])
    return in_ascii("\n".join(lines))
