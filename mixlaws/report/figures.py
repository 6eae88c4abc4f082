"""The figures on the page: what each one shows, and its SVG made part of the page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mixlaws.presentation import INKS

CSS_PIXELS_PER_POINT = 96 / 72
# Title, then what to see, by the figure's file name.
CAPTIONS = {
    "tokens_per_domain": (
        "Tokens per domain",
        "What is left of each domain after removing duplicates. Whole documents go to one split "
        "or the other. A domain with a pale bar only is measured and never trained on.",
    ),
    "training_curves": (
        "Training curves",
        "Loss (lower is better) and next-token accuracy (higher is better) of each validation "
        "domain over training: mean over all mixtures and, where there are few domains, the range "
        "from the lowest to the highest. The wider the range, the more the mixture matters.",
    ),
    "step_law": (
        "Step law: loss against training tokens",
        "The uniform mixture. Points that the curve was fitted to are filled; those before the "
        "early cut are crosses. The dashed part is extrapolated to the target's tokens.",
    ),
    "size_law": (
        "Size law: loss against parameters",
        "At the target's number of tokens; each point is a step law's value there. The coloured "
        "line is the uniform mixture, the thin ones are the others. The dashed part is "
        "extrapolated to the target's size.",
    ),
    "predicted_vs_observed": (
        "Predicted against observed loss",
        "At the largest proxy size. On the line, prediction and observation agree. Scores count "
        "only what was kept out of the fit: mixtures left out in turn (circles) and held-out "
        "mixtures that no fit ever saw (outlined diamonds). The small grey points are in-sample.",
    ),
    "interaction_matrix": (
        "Which domain helps which",
        "Predicted change of each validation loss at the target when a training domain gets ten "
        "more points of share, taken from the others pro rata, starting from equal shares. Blue "
        "helps, red hurts. Shares sum to one, so a row shows only differences between domains.",
    ),
    "simplex": (
        "Predicted overall loss over the mixtures",
        "At the target. With three domains every place in the triangle is a mixture; otherwise "
        "one domain's share varies and the others keep the optimum's ratios. The light line (or "
        "the thick part) bounds how much worse a mixture can be predicted and still not be told "
        "from the optimum.",
    ),
    "optimum": (
        "The recommended mixture",
        "Share of each domain with its interval (line) and its range over the near-optimal "
        "mixtures (pale band), beside the mixtures it is compared with.",
    ),
    "confirmation": (
        "The target, really trained",
        "Left: the predicted overall loss with its interval, and what each training seed gave. "
        "Right: by how much the optimum was better, seed by seed; inside the grey band a "
        "difference cannot be told from the noise between seeds.",
    ),
    "cost": (
        "What it cost",
        "Seconds are summed over jobs, which run side by side: the wall time is shorter.",
    ),
    "two_domains": (
        "Two domains: log reducible loss is straight in a domain's own share (figure 2)",
        "Points are the published losses less the law's constant c, which the paper's procedure "
        "takes from a grid; lines are its laws. Five points and three parameters: that they lie on "
        "a line is weak evidence for the form.",
    ),
    "forms": (
        "Functional forms on unseen mixtures (table 1)",
        "Three domains, 410M, 60k steps. Lower is better. M1 to M4 are the paper's candidates; "
        "additive is this package's default law; linear, mean and random are baselines. The paper "
        "chose M4.",
    ),
    "interactions": (
        "How five domains interact (figure 4)",
        "Exponents t of the exponential law, 70M, 30k steps. Only differences within a row can be "
        "known, so each row's mean is removed. Negative: the domain lowers that loss.",
    ),
    "aggregation": (
        "Explicit and implicit aggregation (figure 5)",
        "The paper scores six mixtures that it also fits: in-sample, more implicit domains always "
        "look better. Only the held-out errors say which aggregation predicts.",
    ),
    "paper_step_law": (
        "Step laws of the paper's optimised mixture, by validation group",
        "Algorithm 1, fitted to 10k to 30k steps, one exponent a run. The dashed part is "
        "extrapolated to 100k steps.",
    ),
    "paper_size_law": (
        "Size laws at 100k steps, by validation group",
        "Each point is a step law's extrapolation, not an observation. Thin lines: the other "
        "mixtures. Dashed: extrapolated to 1B.",
    ),
    "predictions": (
        "Predicted against observed, overall and by group",
        "On the line, prediction and observation agree. The small circles are 410M models at 30k "
        "steps: hollow ones were fitted (the tight diagonal of the paper's figure is in-sample), "
        "filled ones left out in turn. The large marks are the two 1B runs at 100k steps, which no "
        "fit has seen.",
    ),
    "joint_target": (
        "The joint laws at 1B, a size no fit has seen",
        "Fitted to 70M to 410M models. Intervals are bootstraps over mixtures, widened by the "
        "errors on forward folds; they treat the mixture as unseen, so their centre differs a "
        "little from the line.",
    ),
    "matching": (
        "Steps to match the other mixture (figure 8)",
        "Left: the observed losses of both 1B models. Right: the step at which a power law through "
        "one curve reaches the other's last loss, for several first steps of the fit. The paper's "
        "1.48 and 0.73 are the leftmost points. Beyond 100k steps nothing was trained.",
    ),
    "sharing": (
        "The nested prediction depends on how exponents are shared",
        "Explicit exponential law. Each row fits algorithm 1 with the step and size exponents "
        "shared as it says; the size exponent is kept in the range of the authors' starts or free. "
        "Dotted: what was observed.",
    ),
    "paper_optimum": (
        "The mixtures that each law would choose, within the token limits",
        "Optima are flat: mixtures with much different shares are predicted nearly alike.",
    ),
    "rankings": (
        "Stability of ranks over size and step",
        "Spearman correlation with the 410M models at 30k steps, over the mixtures trained at all "
        "sizes.",
    ),
    "critical_proportion": (
        "Continual pre-training: the critical proportion (figure 10)",
        "Pythia-70M continued on the Pile and Python code, 10k steps. Curves are fitted without "
        "the diamond, the run that the paper made to check its prediction.",
    ),
    "continual_curves": (
        "Continual pre-training: loss over steps",
        "The share of the original domain that keeps its loss falls with more steps, so a critical "
        "proportion belongs to a number of steps.",
    ),
}


@dataclass(frozen=True)
class PageFigure:
    """A figure as the template needs it."""

    name: str
    title: str
    caption: str
    svg: str
    """Markup without a size of its own."""
    width: float
    """Natural width in CSS pixels."""


def page_figures(folder: Path, *names: str) -> list[PageFigure]:
    """Return those of the named figures that were drawn into `folder`."""
    return [_page_figure(folder / f"{name}.svg") for name in names if _drawn(folder, name)]


def _drawn(folder: Path, name: str) -> bool:
    return (folder / f"{name}.svg").exists()


def _page_figure(path: Path) -> PageFigure:
    """Return a figure with ids of its own and with the page's inks."""
    title, caption = CAPTIONS[path.stem]
    text = path.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{path.stem}-', text)
    text = re.sub(r'(href="|url\()#', rf"\1#{path.stem}-", text)
    for name, colour in INKS.items():
        text = text.replace(colour, f"var(--{name})")
    width = re.search(r'<svg[^>]* width="([0-9.]+)pt"', text)
    points = float(width.group(1)) if width else 0.0
    text = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", text, count=1)
    return PageFigure(path.stem, title, caption, text, points * CSS_PIXELS_PER_POINT)
