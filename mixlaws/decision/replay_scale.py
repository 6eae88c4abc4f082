"""Tables of how the critical proportion moves with size and tokens, up to the target."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mixlaws.decision.continual import Redraws
from mixlaws.decision.critical import FOUND, Critical, Point, main_point, quantiles, status_of
from mixlaws.decision.critical_scale import fit_joint, fit_token_form, redrawn_laws

NUM_DRAWN = 40
"""Points of each drawn line over tokens."""


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
                    zip(("value", "lower", "upper"), map(finite, (value, *ends)), strict=True)
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
    largest = main_point(points)
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


def finite(value: float) -> float | None:
    """Return a number for JSON: None for a share above all, which is inf."""
    return value if math.isfinite(value) else None
