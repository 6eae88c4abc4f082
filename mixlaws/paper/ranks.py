"""Compare the ranks of mixtures between sizes, and the cost of choosing by a small model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from mixlaws.losses.arrays import make_observations
from mixlaws.losses.swarm import Swarm
from mixlaws.paper.points import Settings, named_mixtures, overall_losses
from mixlaws.tables import write_table


def rank_mixtures(
    study: str | Path, settings: Settings, *, ranks: str | Path, stability: str | Path
) -> None:
    """Rank the mixtures of the study in a folder at every size and step, and compare the ranks."""
    table = mixture_ranks(Swarm.load(study), settings)
    write_table(table, ranks)
    write_table(rank_stability(table, settings), stability)


def mixture_ranks(swarm: Swarm, settings: Settings) -> pd.DataFrame:
    """Return the overall loss and rank of every mixture at each size and common step.

    Columns: size, step, mixture, loss, rank (1 is the lowest loss), num_mixtures, common (whether
    the mixture was trained at all of the settings' sizes).
    """
    seen = make_observations(swarm)
    table = pd.DataFrame({"size": seen.size, "step": seen.step, "mixture": seen.mixture})
    table["loss"] = overall_losses(swarm, seen)
    table = table[table["size"].isin(settings["sizes"]) & table["step"].isin(settings["steps"])]
    grouped = table.groupby(["size", "step"])["loss"]
    table = table.assign(rank=grouped.rank().astype(int), num_mixtures=grouped.transform("size"))
    sizes = table.groupby("mixture")["size"].nunique()
    common = set(sizes[sizes == len(settings["sizes"])].index) - set(named_mixtures(swarm))
    return table.assign(common=table["mixture"].isin(common)).reset_index(drop=True)


def rank_stability(ranks: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Compare each size and step with the reference, the largest size at the last step.

    Only common mixtures are compared. Columns: size, step, num_mixtures, spearman, best (the
    mixture with the lowest loss there, common or not), best_is_common, regret (nats lost at the
    reference by choosing it, nan if it was not trained there).
    """
    common = ranks[ranks["common"]]
    largest, last = settings["sizes"][-1], settings["steps"][-1]
    reference = common[(common["size"] == largest) & (common["step"] == last)]
    final = reference.set_index("mixture")["loss"]
    rows = []
    for size in settings["sizes"]:
        for step in settings["steps"]:
            here = common[(common["size"] == size) & (common["step"] == step)]
            losses = here.set_index("mixture")["loss"]
            both = losses.index.intersection(final.index)
            everyone = ranks[(ranks["size"] == size) & (ranks["step"] == step)]
            if everyone.empty:
                continue
            best = str(everyone.loc[everyone["loss"].idxmin(), "mixture"])
            rows.append(
                {
                    "size": size,
                    "step": step,
                    "num_mixtures": len(both),
                    "spearman": float(stats.spearmanr(losses[both], final[both]).statistic),
                    "best": best,
                    "regret": float(final.get(best, np.nan) - final.min()),
                }
            )
    return pd.DataFrame(rows)
