"""The outcome of continual pre-training: tables and record of the critical proportion."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mixlaws.decision.continual import FORMS, Redraws, fit_share_law
from mixlaws.decision.critical import (
    FOUND,
    Critical,
    Point,
    find_critical,
    fitted,
    knee,
    least_safe,
    main_point,
    make_points,
)
from mixlaws.decision.replay_scale import finite, scale_table
from mixlaws.decision.verification import plan_verification
from mixlaws.files import write_json
from mixlaws.losses.tables import domains_of, read_losses, read_mixtures, read_runs, share_columns
from mixlaws.runs.replay import Replay, make_replay
from mixlaws.tables import write_table


def find_shares(
    inputs: Mapping[str, str], outputs: Mapping[str, str], params: Mapping[str, Any]
) -> None:
    """Write the critical proportions, the curves and the record of the answer.

    `inputs` are losses, initial, runs and mixtures. `outputs` are critical, curves, domains and
    scale (tables) and record (JSON). `params` are continual (the config's section), target, level,
    replicates, seed and steps, the names of `all` or `last`.
    """
    replay, points, losses, initial = _read(inputs, params)
    redraws = Redraws(params["level"], params["replicates"], params["seed"])
    kept = points if params["steps"] == "all" else _last_of_each(points)
    found = [find_critical(point, redraws) for point in kept]
    main = kept.index(main_point(kept))
    write_table(critical_table(kept, found), outputs["critical"])
    write_table(curve_table(kept), outputs["curves"])
    domains = domain_table(losses, initial, kept[main], replay)
    write_table(domains, outputs["domains"])
    scale, at_target = scale_table(kept, found, params["target"], redraws)
    write_table(scale, outputs["scale"])
    record = critical_record(kept[main], found[main], redraws.level)
    write_json(record | {"target": at_target}, outputs["record"])


def _read(
    inputs: Mapping[str, str], params: Mapping[str, Any]
) -> tuple[Replay, list[Point], pd.DataFrame, pd.DataFrame]:
    mixtures = read_mixtures(inputs["mixtures"])
    replay = make_replay(params["continual"], domains_of(mixtures))
    shares = original_shares(mixtures, replay)
    runs = read_runs(inputs["runs"])
    num_params = {str(s): float(n) for s, n in runs.groupby("size")["num_params"].first().items()}
    losses, initial = (
        table.assign(share=table["mixture"].map(shares))
        for table in (read_losses(inputs["losses"]), read_losses(inputs["initial"]))
    )
    return replay, make_points(losses, initial, num_params, replay), losses, initial


def original_shares(mixtures: pd.DataFrame, replay: Replay) -> dict[str, float]:
    """Return the share of the original data by mixture id."""
    sums = mixtures[share_columns(replay.original)].sum(axis=1).round(9)
    return dict(zip(mixtures["id"], sums, strict=True))


def _last_of_each(points: Sequence[Point]) -> list[Point]:
    return list({point.size: point for point in points}.values())


def critical_table(points: Sequence[Point], found: Sequence[Critical]) -> pd.DataFrame:
    """Return one row per size and step: status, value, interval and the value of each form."""
    rows = [
        {
            "size": point.size,
            "num_params": point.num_params,
            "step": point.step,
            "tokens": point.tokens,
            "status": each.status,
            "value": each.value,
            "lower": each.lower,
            "upper": each.upper,
            **{form.replace("-", "_"): each.by_form[form] for form in FORMS},
        }
        for point, each in zip(points, found, strict=True)
    ]
    return pd.DataFrame(rows)


def curve_table(points: Sequence[Point]) -> pd.DataFrame:
    """Return runs and fitted laws over the share, for both losses.

    Columns: size, step, tokens, kind (original, new), series (run, law), seed, share, loss and
    above, which is the loss above that of the base.
    """
    rows = []
    for point in points:
        for kind, losses, base in (
            ("original", point.original, point.base_original),
            ("new", point.new, point.base_new),
        ):
            key = {"size": point.size, "step": point.step, "tokens": point.tokens, "kind": kind}
            for seed, (own, start) in enumerate(zip(losses, base, strict=True)):
                for share, loss in zip(point.shares, own, strict=True):
                    rows.append(key | _row("run", seed, share, loss, loss - start))
            above = fitted(point, kind)
            for share, value in zip(point.grid[::8], above[::8], strict=True):
                rows.append(key | _row("law", -1, share, value + base.mean(), value))
    return pd.DataFrame(rows)


def _row(series: str, seed: int, share: float, loss: float, above: float) -> dict[str, Any]:
    return {"series": series, "seed": seed, "share": share, "loss": loss, "above": above}


def domain_table(
    losses: pd.DataFrame, initial: pd.DataFrame, point: Point, replay: Replay
) -> pd.DataFrame:
    """Return the law and the critical proportion of each validation domain at one point.

    Columns: validation_domain, weight (in the loss to preserve, 0 for others), base (its loss
    before training), at_least and at_most (its loss at the least and largest share), value (the
    least share that keeps it: 0 for all, inf for none).
    """
    last = losses[(losses["size"] == point.size) & (losses["step"] == point.step)]
    start = initial[initial["size"] == point.size].groupby("validation_domain")["loss"].mean()
    rows = []
    for name, part in last.groupby("validation_domain", sort=False):
        mean = part.groupby("share")["loss"].mean().loc[point.shares].to_numpy()
        own = name in replay.original or name in replay.preserve
        shares, grid = (point.shares, point.grid) if own else (1 - point.shares, 1 - point.grid)
        curve = fit_share_law(FORMS[0], shares, mean - start[name])(grid)
        rows.append(
            {
                "validation_domain": name,
                "weight": replay.preserve.get(str(name), 0.0),
                "base": start[name],
                "at_least": start[name] + curve[0],
                "at_most": start[name] + curve[-1],
                "value": least_safe(point.grid, curve) if own else math.nan,
            }
        )
    return pd.DataFrame(rows)


def critical_record(point: Point, found: Critical, level: float) -> dict[str, Any]:
    """Return the answer for one point as a record; a share of null is above all that were trained.

    Its `verification` is the share to train at, rounded up, with the interval within which the
    loss of that run must be to count as that of the base.
    """
    original, new = fitted(point, "original"), fitted(point, "new")
    place = knee(original, new)
    return {
        "size": point.size,
        "num_params": point.num_params,
        "step": point.step,
        "tokens": point.tokens,
        "num_seeds": len(point.base_original),
        "level": level,
        "status": found.status,
        "value": finite(found.value),
        "lower": finite(found.lower),
        "upper": finite(found.upper),
        "by_form": {form: finite(value) for form, value in found.by_form.items()},
        "trained": [float(point.shares[0]), float(point.shares[-1])],
        "base": {
            "original": float(point.base_original.mean()),
            "new": float(point.base_new.mean()),
        },
        "knee": {
            "share": float(point.grid[place]),
            "original": float(original[place] + point.base_original.mean()),
            "new": float(new[place] + point.base_new.mean()),
        },
        "verification": plan_verification(point, found, level) if found.status == FOUND else None,
    }
