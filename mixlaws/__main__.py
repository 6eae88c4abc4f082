"""The `mixlaws` command: start an experiment, plan it, watch it, show what it found."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mixlaws.compare_command import add_compare_laws
from mixlaws.config.complete import read_config
from mixlaws.config.experiment import Experiment
from mixlaws.config.given import check_given_files
from mixlaws.config.losses import LossesExperiment
from mixlaws.config.published import PublishedExperiment
from mixlaws.errors import ConfigError, DataError, FitError, TrainingError
from mixlaws.fit_command import add_fit
from mixlaws.predict_command import add_predict
from mixlaws.runs.cost import check_plan, write_plan
from mixlaws.runs.status import describe, find_runs
from mixlaws.runs.watch import watch
from mixlaws.size_command import add_size

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
    init = commands.add_parser(
        "init", help="write a commented config for your own text: experiments/NAME.yaml"
    )
    init.add_argument("name", help="name of the experiment; results go to results/NAME/")
    init.add_argument(
        "--small", action="store_true", help="models for a trial of minutes on a laptop"
    )
    init.set_defaults(run=_init)
    plan = commands.add_parser(
        "plan", help="print and write what an experiment will cost, before anything is read"
    )
    _add_experiment(plan)
    plan.set_defaults(run=_plan)
    status = commands.add_parser(
        "status", help="print how far an experiment is, what it has cost and what is left"
    )
    _add_experiment(status)
    status.add_argument(
        "--watch", action="store_true", help="refresh every few seconds until all runs are done"
    )
    status.set_defaults(run=_status)
    show = commands.add_parser(
        "show", help="print what an experiment found: mixture, gains, verdict, cost"
    )
    _add_experiment(show)
    show.set_defaults(run=_show)
    add_size(commands)
    add_fit(commands)
    add_predict(commands)
    add_compare_laws(commands)
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


def _init(arguments: argparse.Namespace) -> None:
    from mixlaws.config.template import write_config

    path = write_config(arguments.name, Path("experiments"), small=arguments.small)
    print(
        f"{path}: change its paths and weights, then\n"
        f"  mixlaws plan --configfile {path}\n"
        f"  snakemake --cores all --configfile {path}"
    )


def _plan(arguments: argparse.Namespace) -> None:
    config = read_config(arguments.configfile)
    if isinstance(config, PublishedExperiment | LossesExperiment):
        print(_nothing_to_train(config.experiment))
        return
    check_given_files(config, arguments.directory / "results")
    print(write_plan(config, arguments.directory / "results" / config.experiment))
    check_plan(config)


def _status(arguments: argparse.Namespace) -> None:
    config = read_config(arguments.configfile)
    if isinstance(config, PublishedExperiment | LossesExperiment):
        print(_nothing_to_train(config.experiment))
        return
    root = arguments.directory / "results"
    if arguments.watch:
        watch(config, root)
    else:
        print(describe(config, find_runs(config, root)))


def _show(arguments: argparse.Namespace) -> None:
    config = read_config(arguments.configfile)
    folder = arguments.directory / "results" / config.experiment
    # Imported here: pandas takes a second, and the other commands do without.
    if isinstance(config, PublishedExperiment):
        from mixlaws.paper.summary import summarise_published as summarise
    elif isinstance(config, Experiment) and config.continual is not None:
        from mixlaws.report.continual_page import summarise_continual as summarise
    else:
        from mixlaws.report.summary import summarise
    print(summarise(folder, config.model_dump()))


def _nothing_to_train(experiment: str) -> str:
    return f"{experiment}: fits laws to losses that exist. No text is read and nothing is trained."


def _export(arguments: argparse.Namespace) -> None:
    # Imported here: PyTorch takes seconds, and the other commands do without.
    from mixlaws.training.export import export_model

    export_model(arguments.checkpoints, arguments.folder, arguments.tokenizer)
    print(f"{arguments.folder}: config.json, model.safetensors")


if __name__ == "__main__":
    sys.exit(main())
