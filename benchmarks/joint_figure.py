"""Draw the joint laws' prediction of RedPajama's 1B runs, which no fit has seen.

    MIXLAWS_PUBLISHED=<folder of the published logs> python benchmarks/joint_figure.py

writes docs/figures/joint_law.svg and prints the errors that docs/method.md states.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/reference")]

from published_logs import read_logs, weights_of  # noqa: E402

from mixlaws.figures.style import save_figure, use_style  # noqa: E402
from mixlaws.laws.joint_fit import fit_joint_ensemble  # noqa: E402
from mixlaws.laws.joint_folds import choose_joint  # noqa: E402
from mixlaws.published import Study  # noqa: E402

MIXTURES = {"default": "default mixture", "mix-018": "the paper's optimised mixture"}


def predict_large(study: Study) -> pd.DataFrame:
    """Return observed and predicted overall losses of both mixtures at 1B."""
    seen, weights = study.observations(), weights_of(study)
    named = [*seen.mixture[seen.size == "410M"], "default"]
    proxies = seen.select((seen.size != "1B") & np.isin(seen.mixture, named))
    choice, _ = choose_joint(proxies, weights=weights)
    law, _ = fit_joint_ensemble(proxies, forms=choice.forms, settings=choice.settings)
    large = seen.select((seen.size == "1B") & np.isin(seen.mixture, list(MIXTURES)))
    table = {"mixture": large.mixture, "tokens": large.tokens, "step": large.step}
    table |= {"observed": large.losses @ weights, "predicted": law.predict(large) @ weights}
    return pd.DataFrame(table).sort_values(["mixture", "tokens"], ignore_index=True)


def draw(table: pd.DataFrame) -> Figure:
    """Return observed points and predicted lines, one panel per mixture."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (mixture, title) in zip(panels, MIXTURES.items(), strict=True):
        rows = table[table["mixture"] == mixture]
        axes.plot(rows["tokens"], rows["predicted"], "--", label="predicted, never fitted")
        axes.plot(rows["tokens"], rows["observed"], "o", markersize=4, label="observed at 1B")
        axes.set(xscale="log", title=title, xlabel="training tokens D")
    panels[0].set_ylabel("overall loss L (nats per token)")
    panels[0].legend()
    return figure


def main() -> None:
    """Write the figure and print the errors."""
    table = predict_large(read_logs(Path(os.environ["MIXLAWS_PUBLISHED"]), "redpajama"))
    use_style()
    save_figure(draw(table), table, ROOT / "docs" / "figures" / "joint_law.svg")
    error = table["predicted"] - table["observed"]
    print(f"mean error beyond 30k steps: {error[table['step'] > 30_000].abs().mean():.4f} nats")
    print(table.assign(error=error)[table["step"] == 100_000].to_string(index=False))


if __name__ == "__main__":
    main()
