"""The mixtures that the reader of the page can start from, and the runs on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mixlaws.mixtures.lattice import OPTIMUM
from mixlaws.report.data import PageData
from mixlaws.results import BEST_OBSERVED

UNIFORM = "uniform"


def mixture_records(found: PageData, domains: Sequence[str]) -> list[dict[str, Any]]:
    """Return name, kind and shares: optimum, baselines, best observed, then trained mixtures."""
    record = found.optimum
    named = {OPTIMUM: record["proportions"], UNIFORM: dict.fromkeys(domains, 1 / len(domains))}
    named |= {name: each["proportions"] for name, each in record["baselines"].items()}
    best = record["baselines"].get(BEST_OBSERVED, {}).get("mixture")
    labels = {BEST_OBSERVED: f"best observed ({best})"}
    mixtures = [_record(name, labels.get(name, name), "compared", shares, domains)
                for name, shares in named.items()]  # fmt: skip
    trained = found.results.mixtures
    static = trained[~trained["id"].duplicated(keep=False) & ~trained["id"].isin(list(named))]
    for row in static.to_dict("records"):
        shares = {domain: row[f"r_{domain}"] for domain in domains}
        mixtures.append(_record(row["id"], str(row["id"]), "trained", shares, domains))
    return mixtures


def _record(
    name: str, label: str, kind: str, shares: Mapping[str, float], domains: Sequence[str]
) -> dict[str, Any]:
    return {
        "name": str(name),
        "label": label,
        "kind": kind,
        "shares": [float(shares[domain]) for domain in domains],
    }


def run_records(
    found: PageData, rows: Sequence[str], domains: Sequence[str]
) -> dict[str, Any] | None:
    """Return the last losses of the largest proxies by mixture, mean over seeds, overall last."""
    losses = found.results.losses
    counts = found.proxies.groupby("size")["num_params"].first()
    size = str(counts.idxmax())
    part = losses[losses["size"].astype(str) == size]
    key = ["mixture", "seed"]
    last = part[part["step"] == part.groupby(key)["step"].transform("max")]
    table = last.pivot_table("loss", "mixture", "validation_domain", aggfunc="mean", observed=True)
    shares = found.results.mixtures.drop_duplicates("id", keep=False).set_index("id")
    names = [name for name in table.index if name in shares.index]
    weights = pd.Series({row: found.weights.get(row, 0.0) for row in rows})
    used = [row for row in rows if weights[row] > 0]
    return {
        "size": size,
        "mixtures": [
            {
                "name": str(name),
                "shares": [float(shares.loc[name, f"r_{domain}"]) for domain in domains],
                "losses": [
                    *(float(table.loc[name, row]) for row in rows),
                    float(table.loc[name, used] @ weights[used]),
                ],
            }
            for name in names
        ],
    }
