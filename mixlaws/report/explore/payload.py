"""The data of the explorer: the law, its intervals and the mixtures, as JSON in the page."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mixlaws.laws.joint.forms import FORMS
from mixlaws.report.data import PageData
from mixlaws.report.explore.mixtures import mixture_records, run_records

EVALUATED = frozenset(
    {
        *("additive", "additive-power", "additive-terms", "exponential", "implicit"),
        *("M1", "M2", "M3", "sqrt-linear"),
        *(f"joint-{form}" for form in FORMS),
    }
)
"""The laws that core.js evaluates."""
MAX_REPLICATES = 64
MAX_REPLICATE_BYTES = 1_000_000
"""Of the refits in the page: more domains leave room for fewer of them."""
REACH_BELOW, REACH_ABOVE = 0.25, 8.0
"""Of the sliders of a joint law: parts of the smallest proxy, and of the target."""


@dataclass(frozen=True)
class Explorer:
    """What the template of the explorer needs."""

    payload: str = ""
    """JSON, safe inside a script element; empty if the law cannot be explored."""
    reason: str = ""
    """Why not."""
    caution: str = ""
    """What limits everything that it says."""


def make_explorer(found: PageData) -> Explorer | None:
    """Return the explorer of an experiment; None if its results hold no law of this version."""
    law, targets, choice = found.results.law, found.results.targets, found.results.choice
    if law is None or targets is None or choice is None:
        return None
    unknown = sorted({each["name"] for each in law["laws"]} - EVALUATED)
    if unknown:
        return Explorer(
            reason=f"The page cannot evaluate the law {', '.join(unknown)}. Its parameters are in "
            "laws/law.json."
        )
    support = found.optimum["support"]
    caution = support["reason"] or support["loss_reason"]
    return Explorer(embed_json(explorer_record(found, law, targets, choice)), caution=caution)


def explorer_record(
    found: PageData, law: Mapping[str, Any], targets: Mapping[str, Any], choice: Mapping[str, Any]
) -> dict[str, Any]:
    """Return everything that the page evaluates; names and orders are those of the config."""
    rows, domains = _ordered(law, found)
    return {
        "experiment": found.config["experiment"],
        "domains": domains,
        "validation_domains": rows,
        "weights": [law["weights"][row] for row in rows],
        "level": law["level"],
        "target": law["target"],
        "laws": _laws(law["laws"], rows, domains),
        "grid": _grid(targets, rows, domains),
        "compute": targets["compute"],
        "range": _ranges(targets, law["target"]),
        "uncertainty": {
            **_uncertainty(law, rows, domains),
            "reach": targets["reach"],
            "growth": choice["difference_growth"],
        },
        "replicates": _replicates(found, law, rows, domains),
        "limits": _limits(found, domains),
        "mixtures": mixture_records(found, domains),
        "runs": run_records(found, rows, domains),
    }


def embed_json(record: Any) -> str:
    """Return JSON that cannot end the script element around it, whatever names it holds."""
    text = json.dumps(record, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def pack(values: np.ndarray, *, single: bool = False) -> str:
    """Return an array as base64 of its bytes, row by row: "d:" for 64 bits, "f:" for 32."""
    kind, letter = ("<f4", "f") if single else ("<f8", "d")
    data = np.ascontiguousarray(values, dtype=kind).tobytes()
    return f"{letter}:{base64.b64encode(data).decode('ascii')}"


def _ordered(law: Mapping[str, Any], found: PageData) -> tuple[list[str], list[str]]:
    """Return validation domains and domains in the order of the config."""
    rows = sorted(law["validation_domains"], key=_place(found.measured))
    return rows, sorted(law["domains"], key=_place(found.domains))


def _place(names: Sequence[str]) -> Any:
    return lambda name: names.index(name) if name in names else len(names)


def _laws(
    laws: Sequence[Mapping[str, Any]], rows: Sequence[str], domains: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the laws with each parameter packed as (V,) or (V, K)."""
    return [
        {
            **{key: each[key] for key in ("name", "terms", "schedule") if key in each},
            "parameters": {
                name: pack(_array(values, rows, domains))
                for name, values in each["parameters"].items()
            },
        }
        for each in laws
    ]


def _array(values: Mapping[str, Any], rows: Sequence[str], domains: Sequence[str]) -> np.ndarray:
    if isinstance(values[rows[0]], Mapping):
        return np.array([[values[row][domain] for domain in domains] for row in rows])
    return np.array([values[row] for row in rows])


def _grid(
    targets: Mapping[str, Any], rows: Sequence[str], domains: Sequence[str]
) -> dict[str, Any] | None:
    """Return the laws at a grid of targets; None if one law holds at all."""
    grid = targets["grid"]
    if grid is None:
        return None
    return {
        "num_params": grid["num_params"],
        "tokens": grid["tokens"],
        "laws": [
            [cell and _laws(cell, rows, domains) for cell in by_tokens]
            for by_tokens in grid["laws"]
        ],
    }


def _ranges(targets: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return the ends of the sliders of size and tokens, for a law that holds at any target."""
    ends = {"num_params": min(targets["compute"]["num_params"]), "tokens": targets["first_tokens"]}
    return {
        name: [min(low, REACH_BELOW * target[name]), REACH_ABOVE * target[name]]
        for name, low in ends.items()
    }


def _uncertainty(
    law: Mapping[str, Any], rows: Sequence[str], domains: Sequence[str]
) -> dict[str, Any]:
    """Return what the intervals are made of, overall last."""
    levels, differences = (law["uncertainty"][name] for name in ("levels", "differences"))
    names = list(law["validation_domains"])
    order = [*(names.index(row) for row in rows), len(rows)]
    columns = [list(law["domains"]).index(domain) for domain in domains]
    trained, forward = np.array(differences["trained"])[:, columns], differences["forward"]

    def ordered(values: Sequence[float]) -> list[float]:
        return [values[place] for place in order]

    return {
        "level": law["level"],
        "levels": {
            **{name: value for name, value in levels.items() if name != "scale"},
            "scale": ordered(levels["scale"]),
        },
        "trained": pack(trained),
        "num_trained": len(trained),
        "kappa": ordered(differences["kappa"]),
        "forward": forward and {name: ordered(forward[name]) for name in ("smooth", "noise")},
    }


def _replicates(
    found: PageData, law: Mapping[str, Any], rows: Sequence[str], domains: Sequence[str]
) -> dict[str, Any] | None:
    """Return the first refits of the bootstrap, in single precision; None without any."""
    table = found.results.replicates
    if table is None or table.empty:
        return None
    per_replicate = 4 * int((table["replicate"] == table["replicate"].iloc[0]).sum())
    room = max(MAX_REPLICATE_BYTES // per_replicate, 1)
    count = min(MAX_REPLICATES, room, int(table["replicate"].max()) + 1)
    first = table[table["replicate"] < count]
    records = []
    for each in law["laws"]:
        own = first[first["law"] == each["name"]]
        parameters = {
            str(name): pack(_stack(part, count, rows, domains), single=True)
            for name, part in own.groupby("parameter", observed=True)
        }
        kept = {key: each[key] for key in ("name", "terms", "schedule") if key in each}
        records.append({**kept, "parameters": parameters})
    num, level = int(law["num_mixtures"]), float(law["level"])
    upper = float(stats.t.ppf(0.5 + level / 2, num - 1))
    # The expanded percentile interval of decision.intervals.
    tail = float(stats.norm.sf(np.sqrt(num / (num - 1)) * upper))
    return {"count": count, "tail": tail, "laws": records}


def _stack(
    part: pd.DataFrame, count: int, rows: Sequence[str], domains: Sequence[str]
) -> np.ndarray:
    """Return one parameter of every refit, (B, V) or (B, V, K)."""
    inner = [""] if (part["domain"].astype(str) == "").all() else list(domains)
    index = pd.MultiIndex.from_product([range(count), rows, inner])
    keys = [part["replicate"], part["validation_domain"].astype(str), part["domain"].astype(str)]
    values = pd.Series(part["value"].to_numpy(), pd.MultiIndex.from_arrays(keys))
    return values.loc[index].to_numpy().reshape(count, len(rows), len(inner))


def _limits(found: PageData, domains: Sequence[str]) -> dict[str, Any]:
    """Return the limits of shares and groups, and a mixture inside them: the optimum."""
    optimum, groups = found.optimum, found.config["optimum"]["groups"]
    limits = optimum["limits"]
    return {
        "lower": [limits[domain][0] for domain in domains],
        "upper": [limits[domain][1] for domain in domains],
        "groups": [
            {
                "name": name,
                "members": [domains.index(domain) for domain in group["domains"]],
                "lower": group["limits"][0],
                "upper": group["limits"][1],
            }
            for name, group in groups.items()
        ],
        "inside": [optimum["proportions"][domain] for domain in domains],
    }
