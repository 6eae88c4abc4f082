"""The tables on the page: results, rounded and with units."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from mixlaws.laws.overall import OVERALL
from mixlaws.presentation import (
    format_flops,
    format_level,
    format_loss,
    format_seconds,
    format_share,
    format_signed,
    table_rows,
)
from mixlaws.report.blocks import PageTable
from mixlaws.report.findings import BASELINE_LAWS, MIXTURE_FOLDS, place_words

ABSENT = "–"
WITHOUT_LIMITS = "without limits"
"""Label of the best mixture if no limit held, shown where one binds."""


def share_table(optimum: Mapping[str, Any], level: float) -> PageTable:
    """Return the shares of the optimum with intervals, beside the compared mixtures."""
    baselines = optimum["baselines"]
    rows = []
    for domain, share in optimum["proportions"].items():
        interval = " to ".join(format_share(end) for end in optimum["intervals"][domain])
        near = " to ".join(format_share(end) for end in optimum["near_optimal"]["ranges"][domain])
        others = [format_share(each["proportions"][domain]) for each in baselines.values()]
        if optimum["active_constraints"]:
            others.append(format_share(optimum["unconstrained"]["proportions"][domain]))
        rows.append([domain, format_share(share), interval, near, *others])
    header = ["domain", "optimum", f"{format_level(level)} interval", "near-optimal"]
    header += [name.replace("_", " ") for name in baselines]
    header += [WITHOUT_LIMITS] if optimum["active_constraints"] else []
    return PageTable("Share of the training tokens.", header, rows)


def gain_table(optimum: Mapping[str, Any]) -> PageTable:
    """Return the predicted overall losses and what the optimum gains over each.

    Where no absolute loss may be stated, gains alone are.
    """
    rows = [["optimum", *_interval_cells(optimum["predicted"][OVERALL]), ABSENT, ABSENT]]
    for name, each in optimum["baselines"].items():
        label = name if name == each["mixture"] else f"best observed: {each['mixture']}"
        gain = [format_signed(each["gain"]["value"]), _signed_range(each["gain"])]
        rows.append([label, *_interval_cells(each["overall"]), *gain])
    if optimum["active_constraints"]:
        free = optimum["unconstrained"]["overall"]
        lost = format_signed(free - optimum["predicted"][OVERALL]["value"])
        rows.append([WITHOUT_LIMITS, format_loss(free), ABSENT, lost, ABSENT])
    header = ["mixture", "predicted loss", "interval of the expected loss"]
    header += ["gain of the optimum", "interval of the expected gain"]
    if optimum["support"]["states_loss"]:
        return PageTable("Predicted overall loss of the target, nats per token.", header, rows)
    shown = [[row[0], *row[3:]] for row in rows[1:]]
    caption = "Predicted gain of the optimum at the target, nats per token."
    return PageTable(caption, [header[0], *header[3:]], shown)


def _interval_cells(estimate: Mapping[str, float]) -> list[str]:
    ends = (format_loss(estimate["lower"]), format_loss(estimate["upper"]))
    return [format_loss(estimate["value"]), " to ".join(ends)]


def _signed_range(estimate: Mapping[str, float]) -> str:
    return f"{format_signed(estimate['lower'])} to {format_signed(estimate['upper'])}"


def confirmation_table(record: Mapping[str, Any]) -> PageTable:
    """Return predicted, observed and error per validation domain and mixture."""
    mixtures = list(record["mixtures"])
    entries = {OVERALL: record["mixtures"]} | record["domains"]
    rows = []
    for domain, by_mixture in entries.items():
        row = [domain]
        for mixture in mixtures:
            predicted = by_mixture[mixture]["predicted"]["value"]
            observed = by_mixture[mixture]["mean"]
            row += [format_loss(predicted), format_loss(observed)]
            row.append(format_signed(predicted - observed))
        rows.append(row)
    header = ["validation loss"]
    header += [f"{m}: {what}" for m in mixtures for what in ("predicted", "observed", "error")]
    num_seeds = len(record["seeds"])
    caption = f"Losses of the target, nats per token; observed: mean of {num_seeds} seeds."
    return PageTable(caption, header, rows)


def score_table(scores: pd.DataFrame, fold: str, num_params: float) -> PageTable:
    """Return one row per law: errors of the overall loss on unseen mixtures, best first.

    `num_params` belongs to the size of the scores.
    """
    rows = scores[(scores["fold"] == fold) & (scores["validation_domain"] == OVERALL)]
    rows = rows.dropna(subset=["mae", "regret"], how="all")
    size, tokens, count = (rows[name].iloc[0] for name in ("size", "tokens", "num_mixtures"))
    cells = [
        [
            _law_name(row),
            _number(row.mae),
            _number(row.r2, 2),
            _number(row.spearman, 2),
            _number(row.regret),
        ]
        for row in table_rows(rows.sort_values("mae"))
    ]
    header = ["law", "mean error (nats)", "R²", "rank correlation", "regret (nats)"]
    place = place_words(size, num_params, tokens)
    caption = f"Overall loss of {count} {MIXTURE_FOLDS[fold]}, at {place}."
    return PageTable(caption, header, cells)


def _law_name(row: Any) -> str:
    return f"{row.law} (decides)" if row.decides else str(row.law)


def _number(value: float, digits: int = 3) -> str:
    return ABSENT if pd.isna(value) else f"{value:.{digits}f}".replace("-", "−")


def domain_score_table(scores: pd.DataFrame, fold: str) -> PageTable:
    """Return one row per validation domain: the deciding law beside the baselines."""
    rows = scores[scores["fold"] == fold]
    law = rows.loc[rows["decides"], "law"].iloc[0]
    mae = rows.pivot(index="validation_domain", columns="law", values="mae")
    rank = rows[rows["law"] == law].set_index("validation_domain")["spearman"]
    cells = [
        [
            domain,
            *(_number(mae.loc[domain, each]) for each in (law, *BASELINE_LAWS)),
            _number(rank[domain], 2),
        ]
        for domain in dict.fromkeys(rows["validation_domain"])
    ]
    header = ["validation loss", *(f"{each}: mean error" for each in (law, *BASELINE_LAWS))]
    caption = f"Mean error in nats per validation domain, {MIXTURE_FOLDS[fold]}."
    return PageTable(caption, [*header, f"{law}: rank correlation"], cells)


def forward_table(folds: Sequence[Mapping[str, Any]], chosen: str) -> PageTable | None:
    """Return the errors of each pipeline on the folds that look forward, nearest first."""
    if not folds:
        return None
    names = sorted({name for fold in folds for name in fold["errors"]}, key=lambda n: n != chosen)
    cells = [
        [
            fold["fold"],
            f"{fold['size_factor']:.3g}",
            f"{fold['token_factor']:.3g}",
            f"{fold['num_mixtures']}",
            *(_number(fold["errors"].get(name, math.nan), 4) for name in names),
        ]
        for fold in folds
    ]
    header = ["fitted, and what was predicted", "times the size", "times the tokens", "mixtures"]
    header += [f"{name}: mean error (nats)" for name in names]
    caption = (
        "Overall loss, predicted forward: beyond the largest size and the tokens that each fold "
        "was fitted to. The pipeline that decides comes first."
    )
    return PageTable(caption, header, cells)


def joint_fold_table(folds: Sequence[Mapping[str, Any]]) -> PageTable | None:
    """Return the inner folds that chose the joint laws' settings; None without joint laws."""
    if not folds:
        return None
    rows = [
        [fold["choice"], fold["option"], fold["fold"], f"{fold['num_rows']}", _number(fold["mae"])]
        for fold in folds
    ]
    caption = "Inner forward folds of the joint laws, overall loss."
    header = ["choice", "option", "fold", "predicted losses", "mean error (nats)"]
    return PageTable(caption, header, rows, num_text_columns=3, folded=True)


def cost_table(costs: pd.DataFrame) -> PageTable:
    """Return jobs, seconds and FLOPs per stage, with their sum."""
    rows = [
        [row.stage, f"{row.num_jobs}", format_seconds(row.seconds), _flops(row.flops)]
        for row in table_rows(costs)
    ]
    total = [f"{costs['num_jobs'].sum()}", format_seconds(costs["seconds"].sum())]
    rows.append(["all stages", *total, _flops(costs["flops"].sum())])
    return PageTable(
        "Cost per stage; seconds are summed over jobs.", ["stage", "jobs", "time", "FLOPs"], rows
    )


def _flops(flops: float) -> str:
    return format_flops(flops) if flops > 0 else ABSENT


def settings_table(caption: str, settings: Mapping[str, Any]) -> PageTable:
    """Return a nested mapping as rows of dotted key and value."""
    rows = [[key, str(value)] for key, value in _flattened(settings, "")]
    return PageTable(caption, ["key", "value"], rows, num_text_columns=2, folded=len(rows) > 20)


def _flattened(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, child in value.items():
            yield from _flattened(child, f"{key}.{name}" if key else str(name))
    else:
        yield key, value
