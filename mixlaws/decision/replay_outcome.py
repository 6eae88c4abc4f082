"""The outcome of continual pre-training: tables and record of the critical proportion."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mixlaws.decision.continual import FORMS, Redraws, fit_share_law
from mixlaws.decision.critical import (
    FOUND,
    Critical,
    Point,
    find_critical,
    knee,
    least_safe,
    make_points,
    quantiles,
    status_of,
)
from mixlaws.decision.critical_scale import fit_joint, fit_token_form, redrawn_laws
from mixlaws.errors import DataError
from mixlaws.files import read_json, write_json
from mixlaws.losses.tables import domains_of, read_losses, read_mixtures, read_runs
from mixlaws.runs.replay import SHARE_STEPS, VERIFICATION, Replay, make_replay
from mixlaws.tables import write_table

NUM_DRAWN = 40
"""Points of each drawn line over tokens."""


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
    main = kept.index(_main_point(kept))
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
    tables = []
    for name in ("losses", "initial"):
        table = read_losses(inputs[name])
        tables.append(table.assign(share=table["mixture"].map(shares)))
    return replay, make_points(*tables, num_params, replay), *tables


def original_shares(mixtures: pd.DataFrame, replay: Replay) -> dict[str, float]:
    """Return the share of the original data by mixture id."""
    columns = [f"r_{name}" for name in replay.original]
    sums = mixtures[columns].sum(axis=1).round(9)
    return dict(zip(mixtures["id"], sums, strict=True))


def _last_of_each(points: Sequence[Point]) -> list[Point]:
    return list({point.size: point for point in points}.values())


def _main_point(points: Sequence[Point]) -> Point:
    """Return the point of the answer: the largest size after all its tokens."""
    return max(points, key=lambda point: (point.num_params, point.tokens))


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


def fitted(point: Point, kind: str) -> np.ndarray:
    """Return the main law of a loss above the base's on the point's grid."""
    if kind == "original":
        return fit_share_law(FORMS[0], point.shares, point.excess.mean(axis=0))(point.grid)
    above = (point.new - point.base_new[:, None]).mean(axis=0)
    # The law of a domain is one of its own share.
    return fit_share_law(FORMS[0], 1 - point.shares, above)(1 - point.grid)


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


def scale_table(
    points: Sequence[Point],
    found: Sequence[Critical],
    target: Mapping[str, Any],
    redraws: Redraws,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the critical proportion over tokens by law and size, and the answer for the target.

    Columns: law (joint, tokens), size, num_params, tokens, value, lower, upper, extrapolated. The
    law `tokens` is R = b0 + b1 T^s of the largest size. With one size, a target of another size
    gets no answer; with one number of tokens, one of other tokens gets none.
    """
    answer: dict[str, Any] = {name: target[name] for name in ("size", "tokens")}
    answer |= {"num_params": target["num_params"], "value": None, "lower": None, "upper": None}
    columns = ["law", "size", "num_params", "tokens", "value", "lower", "upper", "extrapolated"]
    tokens = sorted({point.tokens for point in points})
    params = {point.size: point.num_params for point in points}
    reason = _no_target(tokens, list(params.values()), target)
    answer["reason"] = reason
    if len(points) == 1:
        return pd.DataFrame(columns=columns), answer
    law = fit_joint(points, np.array([point.excess.mean(axis=0) for point in points]))
    laws = redrawn_laws(points, redraws)
    sizes = params | ({} if reason else {target["size"]: float(target["num_params"])})
    farthest = tokens[-1] if reason else max(tokens[-1], float(target["tokens"]))
    rows = []
    for size, count in sizes.items():
        for seen in _line(tokens, farthest):
            draws = np.array([each.critical(count, seen) for each in laws])
            ends = quantiles(draws, redraws.level)
            beyond = seen > tokens[-1] or size not in params
            value = law.critical(count, seen)
            rows.append(["joint", size, count, seen, value, *ends, beyond])
            if size == target["size"] and seen == target["tokens"] and not reason:
                answer |= dict(
                    zip(("value", "lower", "upper"), map(_finite, (value, *ends)), strict=True)
                )
                answer["status"] = status_of(value)
    answer["published"] = _add_published(rows, points, found, farthest, None if reason else target)
    return pd.DataFrame(rows, columns=columns), answer


def _line(tokens: Sequence[float], farthest: float) -> list[float]:
    """Return the tokens of a line, those of the points and of the target among them."""
    if farthest == tokens[0]:
        return [tokens[0]]
    between = np.geomspace(tokens[0], farthest, NUM_DRAWN)[1:-1]
    return sorted({*tokens, *map(float, between), farthest})


def _no_target(tokens: Sequence[float], params: Sequence[float], target: Mapping[str, Any]) -> str:
    """Return why there is no answer for the target; empty if there is one."""
    if len(params) == 1 and target["num_params"] != params[0]:
        return "runs of one size say nothing about another size. Add sizes to training.sizes"
    if len(tokens) == 1 and target["tokens"] != tokens[0]:
        return (
            "runs of one length say nothing about another length. Use a constant rate with "
            "averaging, whose losses along the run count too"
        )
    return ""


def _add_published(
    rows: list[list[Any]],
    points: Sequence[Point],
    found: Sequence[Critical],
    farthest: float,
    target: Mapping[str, Any] | None,
) -> dict[str, float] | None:
    """Add the line of R = b0 + b1 T^s at the largest size; return its parameters and answer."""
    largest = _main_point(points)
    pairs = [
        (point.tokens, each.value)
        for point, each in zip(points, found, strict=True)
        if point.size == largest.size and each.status == FOUND
    ]
    form = fit_token_form(*map(np.array, zip(*pairs, strict=True))) if pairs else None
    if form is None:
        return None
    for seen in _line([pairs[0][0]], farthest):
        value = form.critical(seen)
        beyond = seen > pairs[-1][0]
        rows.append(
            ["tokens", largest.size, largest.num_params, seen, value, math.nan, math.nan, beyond]
        )
    record = {"b0": form.b0, "b1": form.b1, "s": form.s, "tokens_unit": form.scale}
    is_same = target is not None and target["num_params"] == largest.num_params
    return record | ({"at_target": form.critical(target["tokens"])} if is_same and target else {})


def _finite(value: float) -> float | None:
    """Return a number for JSON: None for a share above all, which is inf."""
    return value if math.isfinite(value) else None


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
        "value": _finite(found.value),
        "lower": _finite(found.lower),
        "upper": _finite(found.upper),
        "by_form": {form: _finite(value) for form, value in found.by_form.items()},
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
        "verification": _verification(point, found, level) if found.status == FOUND else None,
    }


def _verification(point: Point, found: Critical, level: float) -> dict[str, float]:
    share = math.ceil(round(found.value * SHARE_STEPS, 6)) / SHARE_STEPS
    place = int(np.argmin(np.abs(point.grid - share)))
    # As uncertain as the law there, and the runs that are new.
    residuals = point.excess - point.excess.mean(axis=1)[:, None]
    residuals -= residuals.mean(axis=0)
    noise = residuals.std() / np.sqrt(max(len(point.base_original), 1))
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
    inputs: Mapping[str, Any], continual: Mapping[str, Any], output: str
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
        raise DataError(f"the losses of {', '.join(paths)} are not those of {VERIFICATION}")
    last = losses[losses["step"] == losses["step"].max()]
    replay = make_replay(continual, list(continual["original"]))
    means = last.groupby("validation_domain")["loss"].mean()
    original = sum(means[name] * weight for name, weight in replay.preserve.items())
    is_within = record["lower"] <= original <= record["upper"]
    write_json(
        record
        | {
            "status": "kept" if original <= record["upper"] else "lost",
            "is_within": bool(is_within),
            "original": float(original),
            "num_runs": len(paths),
            "losses": {str(name): float(loss) for name, loss in means.items()},
        },
        output,
    )
