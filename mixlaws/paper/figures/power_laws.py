"""Step laws and size laws of the paper's optimised mixture, by validation group."""

from __future__ import annotations

import pandas as pd

from mixlaws.figures.curves import Target
from mixlaws.figures.size_law import plot_size_law, size_curves
from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.step_law import plot_step_law, step_curves
from mixlaws.figures.style import domain_colours
from mixlaws.losses.swarm import Swarm
from mixlaws.paper.points import Panels, complete_runs, target_at
from mixlaws.paper.results import PaperResults

STUDY = "redpajama"


def draw_step_law(results: PaperResults) -> Drawn:
    """Draw loss over tokens."""
    settings, study = results.settings["extrapolation"], results.study(STUDY)
    panels = Panels.of(study, results.groups)
    runs = panels.group(complete_runs(study, settings["sizes"], settings["steps"]))
    losses = pd.DataFrame(runs.losses, columns=list(runs.validation_domains)).assign(
        size=runs.size, mixture=runs.mixture, seed=runs.seed, tokens=runs.tokens
    )
    keys = ["size", "mixture", "seed", "tokens"]
    losses = losses.melt(keys, var_name="validation_domain", value_name="loss")
    laws, target = results.table(STUDY, "step_law"), _target(results, study)
    curves = step_curves(losses, laws, settings["optimised"], target)
    return plot_step_law(curves, settings["sizes"]), curves


def draw_size_law(results: PaperResults) -> Drawn:
    """Draw loss over parameters."""
    study, shown = results.study(STUDY), results.settings["extrapolation"]["optimised"]
    step, size = results.table(STUDY, "step_law"), results.table(STUDY, "size_law")
    target = _target(results, study)
    curves = size_curves(step, size, study.num_params, target)
    return plot_size_law(curves, shown, domain_colours(list(results.groups)), target), curves


def _target(results: PaperResults, study: Swarm) -> Target:
    target = results.settings["extrapolation"]["target"]
    point = target_at(study, **target)
    return Target(target["size"], int(point.num_params), int(point.tokens))


STEP_LAW = FigureSpec(
    name="paper_step_law",
    section="extrapolation",
    title="Step laws of the paper's optimised mixture, by validation group",
    caption=(
        "Algorithm 1, fitted to 10k to 30k steps, one exponent a run. The dashed part is "
        "extrapolated to 100k steps."
    ),
    draw=draw_step_law,
)


SIZE_LAW = FigureSpec(
    name="paper_size_law",
    section="extrapolation",
    title="Size laws at 100k steps, by validation group",
    caption=(
        "Each point is a step law's extrapolation, not an observation. Thin lines: the other "
        "mixtures. Dashed: extrapolated to 1B."
    ),
    draw=draw_size_law,
)
