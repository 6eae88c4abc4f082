"""Results: the names and readers of all files in an experiment's results folder.

Each file is read once, on first access. If a file is missing, its reader raises DataError if every
experiment has the file, and returns None if its stage is optional. pandas is imported only when the
first table is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixlaws.figure_folder import FigureFolder
from mixlaws.files import read_json
from mixlaws.run_files import RunFiles

if TYPE_CHECKING:
    import pandas as pd

RUN_KEY = ("size", "mixture", "seed")
BASELINE = "baseline"
"""Kind in mixtures.csv of a mixture that the optimum is compared with."""
NAMED = "named"
"""Kind in mixtures.csv of a baseline that the config names, or the table of the mixtures."""
HELD_OUT = "held-out"
"""Kind in mixtures.csv of a mixture left out of every fit, and name of the fold that scores it."""
LEAVE_ONE_MIXTURE_OUT = "leave-one-mixture-out"
"""Name of the folds that leave out each mixture in turn."""
K_FOLD = "k-fold"
"""Name of the folds that leave out groups of mixtures, where there are many."""
LEAVE_ONE_SIZE_OUT = "leave-one-size-out"
"""Name of the fold that predicts the largest size from the smaller ones."""
LATER_STEPS = "later-steps"
"""Name of the fold that predicts later steps from earlier ones."""
BEST_OBSERVED = "best_observed"
"""Key of the best trained mixture among the baselines of optimum.json."""
NOISE_FACTOR = 2.0
"""A gain in confirmation.json is real if it exceeds its noise by this factor."""


class Results:
    """The files of one experiment's results folder."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.figures = FigureFolder(self.folder / "figures")

    # Runs

    def run(self, size: str, mixture: str, seed: int) -> RunFiles:
        """Return the files of a proxy."""
        name = f"{size}/{mixture}/seed-{seed}"
        return self._run_files(f"runs/{name}", name, f"train_proxy/{name}")

    def confirmation_run(self, mixture: str, seed: int) -> RunFiles:
        """Return the files of a run of the target."""
        name = f"{mixture}/seed-{seed}"
        confirmed = f"confirmation/{name}"
        return self._run_files(confirmed, confirmed, f"train_confirmation/{name}")

    def _run_files(self, folder: str, checkpoints: str, log: str) -> RunFiles:
        logs = self.folder / "logs"
        return RunFiles(
            self.folder / folder, self.folder / "checkpoints" / checkpoints, logs / f"{log}.log"
        )

    def run_records(self) -> list[dict[str, Any]]:
        """Return the records of all complete proxies."""
        return self._records(self.run("*", "*", 0))

    def confirmation_records(self) -> list[dict[str, Any]]:
        """Return the records of all complete runs of the target."""
        return self._records(self.confirmation_run("*", 0))

    def _records(self, files: RunFiles) -> list[dict[str, Any]]:
        pattern = str(files.record.relative_to(self.folder)).replace("seed-0", "seed-*")
        return [read_json(path) for path in sorted(self.folder.glob(pattern))]

    # Text

    @cached_property
    def accounting(self) -> pd.DataFrame | None:
        """Return documents, bytes and tokens by domain and split."""
        return self._optional("accounting.csv", "domain", "split", "num_tokens")

    @cached_property
    def contamination(self) -> pd.DataFrame | None:
        """Return how many validation documents each training domain repeats."""
        return self._optional("contamination.csv", "num_overlapping", "share")

    # The swarm, which every experiment has

    @cached_property
    def mixtures(self) -> pd.DataFrame:
        """Return id, kind and r_<domain> of every trained mixture."""
        return self._required("mixtures.csv", "id", "kind")

    @cached_property
    def runs(self) -> pd.DataFrame:
        """Return one row per proxy. Imported runs may lack seconds, FLOPs and versions."""
        return self._required("runs.csv", *RUN_KEY, "num_params")

    @cached_property
    def losses(self) -> pd.DataFrame:
        """Return one row per proxy, step and validation domain. Imported runs may lack accuracy."""
        return self._required("losses.parquet", *RUN_KEY, "tokens", "validation_domain", "loss")

    @cached_property
    def imported(self) -> dict[str, Any] | None:
        """Return where imported losses came from and what was changed; None for our own runs."""
        return self._optional_record("import.json")

    @cached_property
    def dropped(self) -> pd.DataFrame | None:
        """Return the checkpoints of imported losses that were left out."""
        return self._optional("dropped.csv", "size", "run", "step", "reason")

    def with_domains(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return a config with the domains and weights of imported losses, which it does not name.

        The config of an experiment that trains is returned as it is.
        """
        record = self.imported
        if record is None:
            return dict(config)
        domains: dict[str, Any] = {name: {} for name in record["domains"]}
        extra = dict.fromkeys(n for n in record["validation_domains"] if n not in domains)
        validation = {"domains": extra, "weights": record["weights"]}
        return {**config, "domains": domains, "validation": validation}

    @property
    def baselines(self) -> list[str]:
        """Return the ids of the baselines, named ones too, in the order of mixtures.csv."""
        return list(self.mixtures.loc[self.mixtures["kind"].isin([BASELINE, NAMED]), "id"])

    # Laws

    @cached_property
    def scores(self) -> pd.DataFrame | None:
        """Return the errors of every law by fold, size and validation domain."""
        return self._optional("laws/scores.csv", "law", "fold", "size", "decides")

    @cached_property
    def predictions(self) -> pd.DataFrame | None:
        """Return the losses of the proxies as predicted by every law."""
        return self._optional("laws/predictions.csv", "law", "kind")

    @cached_property
    def choice(self) -> dict[str, Any] | None:
        """Return the chosen laws, and the reasons."""
        return self._optional_record("laws/choice.json")

    @cached_property
    def law(self) -> dict[str, Any] | None:
        """Return the record of the fitted law."""
        return self._optional_record("laws/law.json")

    @cached_property
    def line_law(self) -> pd.DataFrame | None:
        """Return the log-log line of every mixture; no rows where other laws decide."""
        return self._optional("laws/line_law.csv", "mixture", "validation_domain", "loss")

    @cached_property
    def slope_tests(self) -> pd.DataFrame | None:
        """Return whether the slopes of the log-log lines differ; no rows where others decide."""
        return self._optional("laws/slope_tests.csv", "regressor", "validation_domain", "p")

    @cached_property
    def targets(self) -> dict[str, Any] | None:
        """Return what predicts other targets than the experiment's."""
        return self._optional_record("laws/targets.json")

    @cached_property
    def replicates(self) -> pd.DataFrame | None:
        """Return the parameters of the law refitted to each resample."""
        columns = ("replicate", "law", "validation_domain", "parameter", "domain", "value")
        return self._optional("laws/replicates.parquet", *columns)

    @cached_property
    def step_law(self) -> pd.DataFrame | None:
        """Return the step law of every curve; None if the pipeline has none."""
        return self._law("step_law")

    @cached_property
    def size_law(self) -> pd.DataFrame | None:
        """Return the size law of every curve; None if the pipeline has none."""
        return self._law("size_law")

    @cached_property
    def surface(self) -> pd.DataFrame | None:
        """Return the predicted overall loss of the target for a grid of mixtures."""
        return self._optional("laws/surface.csv", "overall")

    @cached_property
    def interaction(self) -> pd.DataFrame | None:
        """Return the effect of each training domain on each validation loss."""
        return self._optional("laws/interaction.csv", "validation_domain", "domain", "effect")

    # Decision

    @cached_property
    def optimum(self) -> dict[str, Any]:
        """Return the recommended mixture with its intervals and baselines."""
        return dict(read_json(self.folder / "optimum.json"))

    @cached_property
    def confirmation(self) -> dict[str, Any] | None:
        """Return predicted and observed losses of the target; None if it was not trained."""
        return self._optional_record("confirmation.json")

    @cached_property
    def confirmation_runs(self) -> pd.DataFrame | None:
        """Return one row per run of the target."""
        return self._optional("confirmation_runs.csv", *RUN_KEY, "num_params")

    @cached_property
    def confirmation_losses(self) -> pd.DataFrame | None:
        """Return the losses of the target's runs, with the columns of `losses`."""
        columns = ("tokens", "validation_domain", "loss")
        return self._optional("confirmation.parquet", *RUN_KEY, *columns)

    @cached_property
    def budget(self) -> dict[str, Any] | None:
        """Return the best size and tokens for a number of FLOPs; None if nobody asked."""
        return self._optional_record("budget.json")

    @cached_property
    def isoflop(self) -> pd.DataFrame | None:
        """Return the loss over N at several budgets; None if nobody asked."""
        return self._optional("laws/isoflop.csv", "flops", "num_params", "loss", "is_optimum")

    def recipes(self) -> dict[str, str]:
        """Return the recipes for trainers: the text of each file by its path in recipes/.

        Those of a named mixture are in a folder of its name, after those of the optimum.
        """
        root = self.folder / "recipes"
        paths = [path for path in root.rglob("[!.]*") if path.is_file()]
        paths.sort(key=lambda path: (path.parent != root, path))
        return {p.relative_to(root).as_posix(): p.read_text(encoding="utf-8") for p in paths}

    # Cost

    def job_seconds(self) -> dict[str, list[float]]:
        """Return the seconds of all jobs by rule, from the cost that each job recorded."""
        found = {}
        for path in sorted((self.folder / "benchmarks").glob("*")):
            files = [path] if path.is_file() else sorted(path.rglob("*.json"))
            found[path.stem] = [float(read_json(file)["seconds"]) for file in files]
        return found

    def _required(self, name: str, *columns: str) -> pd.DataFrame:
        from mixlaws.tables import read_table

        return read_table(self.folder / name, columns)

    def _optional(self, name: str, *columns: str) -> pd.DataFrame | None:
        return _optional_table(self.folder / name, *columns)

    def _optional_record(self, name: str) -> dict[str, Any] | None:
        path = self.folder / name
        return dict(read_json(path)) if path.exists() else None

    def _law(self, name: str) -> pd.DataFrame | None:
        columns = ("mixture", "validation_domain", "num_agreeing", "at_bound")
        return self._optional(f"laws/{name}.csv", *columns)


def _optional_table(path: Path, *columns: str) -> pd.DataFrame | None:
    from mixlaws.tables import read_table

    return read_table(path, columns) if path.exists() else None
