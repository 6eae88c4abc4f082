"""All stages of an experiment on losses that you have, one after the other, without Snakemake.

The rules of the workflow call the same functions with the same settings, so both write the same
bytes (tests/workflow/test_own_losses.py).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mixlaws.config.losses import stage_settings
from mixlaws.decision.compute_budget import divide_budget
from mixlaws.decision.outcome import find_optimum
from mixlaws.decision.rounding import round_optimum
from mixlaws.figures import draw_figures
from mixlaws.losses.stage import import_losses
from mixlaws.recipes.write import write_recipes
from mixlaws.report.page import write_report
from mixlaws.scoring.fitting import fit_laws
from mixlaws.scoring.record import score_laws

SWARM = {
    "losses": "losses.parquet",
    "runs": "runs.csv",
    "mixtures": "mixtures.csv",
    "imported": "import.json",
}
LAWS = {
    "choice": "laws/choice.json",
    "law": "laws/law.json",
    "step": "laws/step_law.csv",
    "size": "laws/size_law.csv",
}
DECIDING = {
    "choice": LAWS["choice"],
    "law": LAWS["law"],
    "step_law": LAWS["step"],
    "size_law": LAWS["size"],
}
TABLES = {
    "targets": "laws/targets.json",
    "mixing": "laws/mixing_law.csv",
    "joint": "laws/joint_law.csv",
    "line": "laws/line_law.csv",
    "slope": "laws/slope_tests.csv",
}
Say = Callable[[str], None]


def fit_losses(
    config: Mapping[str, Any], folder: str | Path, *, processes: int = 1, say: Say = print
) -> Path:
    """Import the losses of a complete config into a results folder and analyse them.

    Returns the path of the page. `say` is told what begins. Raises the errors of `import_losses`
    and FitError if no law can be fitted.
    """
    folder, settings = Path(folder), stage_settings(config)
    say("reading the losses")
    import_losses(_paths(folder, SWARM | {"dropped": "dropped.csv"}), settings["import"])
    return analyse(config, folder, processes=processes, say=say)


def analyse(
    config: Mapping[str, Any], folder: Path, *, processes: int = 1, say: Say = print
) -> Path:
    """Fit, decide, draw and write the page of losses that are imported into a folder."""
    settings, swarm = stage_settings(config), _paths(folder, SWARM)
    say("scoring the laws on mixtures that they were not fitted to")
    scores = {"scores": "laws/scores.csv", "predictions": "laws/predictions.csv"}
    choice = {"choice": LAWS["choice"]}
    score_laws(swarm, _paths(folder, scores | choice), settings["score"])
    say("fitting the laws")
    fit_laws(swarm | _paths(folder, choice), _paths(folder, LAWS | TABLES), settings["fit"])
    say("finding the optimum and its intervals")
    outputs = {
        "optimum": "optimum.json",
        "replicates": "laws/replicates.parquet",
        "surface": "laws/surface.csv",
        "interaction": "laws/interaction.csv",
    }
    find_optimum(
        swarm | _paths(folder, DECIDING),
        _paths(folder, outputs),
        settings["decide"],
        processes=processes,
    )
    if "compute_budget" in config:
        say("dividing the compute budget")
        names = {"replicates": outputs["replicates"], "choice": LAWS["choice"], "law": LAWS["law"]}
        divide_budget(
            swarm | _paths(folder, names),
            _paths(folder, {"budget": "budget.json", "isoflop": "laws/isoflop.csv"}),
            settings["decide"] | settings["budget"],
        )
    optimum, rounded = folder / "optimum.json", folder / "target_mixture.json"
    round_optimum(optimum, rounded, lattice=settings["lattice"])
    recipes = folder / "recipes"
    shutil.rmtree(recipes, ignore_errors=True)  # a mixture that is no longer named leaves no recipe
    write_recipes(mixture=rounded, optimum=optimum, folder=recipes, **settings["recipes"])
    say("drawing the figures and writing the page")
    draw_figures(folder, config, folder / "figures")
    page = folder / "report.html"
    write_report(folder, config, page)
    return page


def _paths(folder: Path, names: Mapping[str, str]) -> dict[str, str]:
    return {name: str(folder / path) for name, path in names.items()}
