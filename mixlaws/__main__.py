"""The `mixlaws` command: plan an experiment, watch its runs, export its models."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mixlaws.config.complete import read_config
from mixlaws.config.losses import LossesExperiment
from mixlaws.config.published import PublishedExperiment
from mixlaws.errors import ConfigError, DataError, FitError, TrainingError
from mixlaws.fit_command import add_fit
from mixlaws.runs.cost import check_plan, write_plan
from mixlaws.runs.status import describe

# What `pip install mixlaws[...]` must name for a package that is not there.
_EXTRAS = {"torch": "train", "safetensors": "train", "tokenizers": "workflow"}


def main() -> int:
    """Run one command. Print an error that the user can mend as one line and return 1."""
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except (ConfigError, DataError, FitError, TrainingError) as error:
        print(error, file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if error.name not in _EXTRAS:
            raise
        extra = _EXTRAS[error.name]
        print(f"this command needs {error.name}: pip install 'mixlaws[{extra}]'", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mixlaws", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    plan = commands.add_parser(
        "plan", help="print and write what an experiment will cost, before anything is read"
    )
    _add_experiment(plan)
    plan.set_defaults(run=_plan)
    status = commands.add_parser(
        "status", help="print how far an experiment is, what it has cost and what is left"
    )
    _add_experiment(status)
    status.set_defaults(run=_status)
    add_fit(commands)
    export = commands.add_parser(
        "export", help="write a trained model as a folder that Hugging Face transformers loads"
    )
    export.add_argument("checkpoints", type=Path, help="results/.../checkpoints/SIZE/MIXTURE/SEED")
    export.add_argument("folder", type=Path, help="the folder to write")
    export.add_argument("--tokenizer", type=Path, help="results/.../tokens/tokenizer.json")
    export.set_defaults(run=_export)
    return parser


def _add_experiment(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--configfile",
        type=Path,
        default=Path("config.yaml"),
        help="the experiment (default: config.yaml)",
    )
    command.add_argument(
        "--directory", type=Path, default=Path(), help="the folder that holds results/ (default: .)"
    )


def _plan(arguments: argparse.Namespace) -> None:
    config = read_config(arguments.configfile)
    if isinstance(config, PublishedExperiment | LossesExperiment):
        print(_nothing_to_train(config.experiment))
        return
    print(write_plan(config, arguments.directory / "results" / config.experiment))
    check_plan(config)


def _status(arguments: argparse.Namespace) -> None:
    config = read_config(arguments.configfile)
    if isinstance(config, PublishedExperiment | LossesExperiment):
        print(_nothing_to_train(config.experiment))
        return
    print(describe(config, arguments.directory / "results"))


def _nothing_to_train(experiment: str) -> str:
    return f"{experiment}: fits laws to losses that exist. No text is read and nothing is trained."


def _export(arguments: argparse.Namespace) -> None:
    # Imported here: PyTorch takes seconds, and the other commands do without.
    from mixlaws.training.export import export_model

    export_model(arguments.checkpoints, arguments.folder, arguments.tokenizer)
    print(f"{arguments.folder}: config.json, model.safetensors")


if __name__ == "__main__":
    sys.exit(main())
