"""The runs that verify the critical proportion: their share, and their loss beside the base's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mixlaws.decision.continual import FORMS, fit_share_law
from mixlaws.decision.critical import Critical, Point, fitted, quantiles
from mixlaws.errors import DataError
from mixlaws.files import read_json, write_json
from mixlaws.losses.tables import read_losses
from mixlaws.runs.replay import SHARE_STEPS, VERIFICATION, make_replay


def plan_verification(point: Point, found: Critical, level: float) -> dict[str, float]:
    """Return the share to train at, rounded up, and the interval of the base's loss there.

    The interval is as wide as the law and the noise of the new runs make it. A run within it
    cannot be told from the base.
    """
    share = math.ceil(round(found.value * SHARE_STEPS, 6)) / SHARE_STEPS
    place = int(np.argmin(np.abs(point.grid - share)))
    law = fit_share_law(FORMS[0], point.shares, point.excess.mean(axis=0))(point.shares)
    residuals = point.excess - law
    residuals -= residuals.mean(axis=1)[:, None]
    freedom = max(residuals.size - len(residuals) - 2, 1)
    noise = np.sqrt((residuals**2).sum() / freedom / len(residuals))
    spread = found.draws[:, place] - found.draws[:, place].mean()
    generator = np.random.default_rng(0)
    lower, upper = quantiles(spread + noise * generator.standard_normal(len(spread)), level)
    base = float(point.base_original.mean())
    return {
        "share": share,
        "predicted": base + float(fitted(point, "original")[place]),
        "predicted_new": float(point.base_new.mean() + fitted(point, "new")[place]),
        "lower": base + lower,
        "upper": base + upper,
    }


def round_share(
    record: str, continual: Mapping[str, Any], domains: Sequence[str]
) -> dict[str, Any]:
    """Return the proportions of the verification; empty where no share was found.

    `record` is the path of the answer.
    """
    verification = read_json(record)["verification"]
    if verification is None:
        return {"proportions": {}}
    replay = make_replay(continual, domains)
    return {"proportions": replay.proportions(verification["share"], domains)}


def check_verification(
    inputs: Mapping[str, Any], continual: Mapping[str, Any], domains: Sequence[str], output: str
) -> None:
    """Write what the runs at the critical proportion say: their loss against the base's interval.

    `inputs` are record, and the losses of each run, none where no share was found. Raises DataError
    for runs of another mixture.
    """
    record = read_json(inputs["record"])["verification"]
    paths = [str(path) for path in inputs.get("losses", [])]
    if record is None or not paths:
        write_json({"status": "none", "losses": {}}, output)
        return
    losses = pd.concat([read_losses(path) for path in paths], ignore_index=True)
    if set(losses["mixture"]) != {VERIFICATION}:
        raise DataError(
            f"the losses of {', '.join(paths)} are not those of {VERIFICATION}. Delete "
            "these runs and rerun"
        )
    last = losses[losses["step"] == losses["step"].max()]
    replay = make_replay(continual, domains)
    means = last.groupby("validation_domain")["loss"].mean()
    original = sum(means[name] * weight for name, weight in replay.preserve.items())
    new = sum(means[name] * weight for name, weight in replay.learn.items())
    is_within = record["lower"] <= original <= record["upper"]
    write_json(
        record
        | {
            "status": "kept" if original <= record["upper"] else "lost",
            "is_within": bool(is_within),
            "original": float(original),
            "new": float(new),
            "num_runs": len(paths),
            "losses": {str(name): float(loss) for name, loss in means.items()},
        },
        output,
    )
