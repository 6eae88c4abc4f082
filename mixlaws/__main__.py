"""`python -m mixlaws status` and `python -m mixlaws export`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml

from mixlaws.config.complete import complete_config
from mixlaws.errors import ConfigError, DataError
from mixlaws.runs.status import describe


def main() -> int:
    """Run one command; errors a user can cause are one line."""
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except (ConfigError, DataError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mixlaws", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    status = commands.add_parser("status", help="how far a sweep is, what it cost, what is left")
    status.add_argument("--configfile", type=Path, default=Path("config.yaml"))
    status.add_argument("--directory", type=Path, default=Path(), help="where results/ is")
    status.set_defaults(run=_status)
    export = commands.add_parser(
        "export", help="a trained model as a folder that Hugging Face transformers loads"
    )
    export.add_argument("checkpoints", type=Path, help="results/.../checkpoints/SIZE/MIXTURE/SEED")
    export.add_argument("folder", type=Path, help="the folder to write")
    export.add_argument("--tokenizer", type=Path, help="results/.../tokens/tokenizer.json")
    export.set_defaults(run=_export)
    return parser


def _status(arguments: argparse.Namespace) -> None:
    if not arguments.configfile.is_file():
        raise ConfigError(f"--configfile must name a file, got {arguments.configfile}")
    config = complete_config(yaml.safe_load(arguments.configfile.read_text()))
    print(describe(config, arguments.directory / "results"))


def _export(arguments: argparse.Namespace) -> None:
    # Imported here: it takes seconds and torch, which a status does not need.
    from mixlaws.training.export import export_model

    export_model(arguments.checkpoints, arguments.folder, arguments.tokenizer)
    print(f"{arguments.folder}: config.json, model.safetensors")


if __name__ == "__main__":
    sys.exit(main())
