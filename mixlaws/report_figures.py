"""The figures on the page: what each one shows, and its SVG made part of the page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mixlaws.display import INKS

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
