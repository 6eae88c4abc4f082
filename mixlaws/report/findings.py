"""Findings: sentences that say what the numbers of an experiment mean, good or bad."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from mixlaws.laws.overall import OVERALL
from mixlaws.presentation import (
    SPACE,
    format_count,
    format_level,
    format_list,
    format_loss,
    format_signed,
)
from mixlaws.report.blocks import Finding
from mixlaws.results import BEST_OBSERVED, HELD_OUT, K_FOLD, LEAVE_ONE_MIXTURE_OUT, NOISE_FACTOR

UNIFORM = "uniform"
BASELINE_WORDS = {
    UNIFORM: "the uniform mixture (equal shares)",
    "natural": "the natural mixture (shares of the text as it is)",
    BEST_OBSERVED: "the best mixture among the trained ones",
}
"""Words for baselines whose names do not explain themselves."""
MIXTURE_FOLDS = {
    LEAVE_ONE_MIXTURE_OUT: "mixtures left out in turn",
    K_FOLD: "mixtures left out in groups",
    HELD_OUT: "mixtures held out of every fit",
}
BASELINE_LAWS = ("linear", "mean")
"""Simple predictors that a mixing law has to beat."""
NUM_NAMED = 5


def interval_words(estimate: Mapping[str, float], level: float, of: str) -> str:
    """Return an interval as `90 % interval of the expected loss 0.010 to 0.040`."""
    low, high = (format_loss(estimate[end]).replace("-", "−") for end in ("lower", "upper"))
    return f"{format_level(level)} interval of the expected {of} {low} to {high}"


def gain_findings(optimum: Mapping[str, Any]) -> list[Finding]:
    """Say for each baseline whether the optimum is predicted to be better.

    Where no mixture is recommended, the intervals allow no such conclusion, and none is drawn.
    """
    findings, concludes = [], optimum["support"]["recommends"]
    for name, baseline in optimum["baselines"].items():
        gain, words = baseline["gain"], interval_words(baseline["gain"], optimum["level"], "gain")
        label = baseline_words(name)
        if name == BEST_OBSERVED:
            label += f" ({baseline['mixture']})"
        if not concludes:
            signed = format_signed(gain["value"])
            tone, text = "plain", f"Over {label}: predicted {signed} nats ({words})."
        elif gain["lower"] > 0:
            tone, text = "good", f"Better than {label} by {gain['value']:.3f} nats ({words})."
        elif gain["upper"] < 0:
            tone, text = "caution", f"Worse than {label} by {-gain['value']:.3f} nats ({words})."
        else:
            signed = format_signed(gain["value"])
            tone = "caution"
            text = (
                f"Cannot be told from {label}: the predicted gain is {signed} nats, but its "
                f"{words} covers 0."
            )
        findings.append(Finding(tone, text))
    return findings


def baseline_words(name: str) -> str:
    """Return a baseline in words."""
    return BASELINE_WORDS.get(name, f"the mixture {name}")


def meaning(optimum: Mapping[str, Any]) -> str:
    """Say what the gain over the first baseline means to someone who does not read nats."""
    loss = "The loss says how surprised the model is by text it has not seen; lower is better. "
    if not optimum["baselines"] or not optimum["support"]["recommends"]:
        return loss.strip()
    name, baseline = next(iter(optimum["baselines"].items()))
    compared = "equal shares" if name == UNIFORM else baseline_words(name)
    gain = baseline["gain"]["value"]
    rise = 100 * math.expm1(gain)
    direction = "higher" if rise >= 0 else "lower"
    return (
        f"{loss}Compared with {compared}, the recommended mixture is predicted to give each token "
        f"of the validation text a probability {abs(rise):.1f} % {direction}, on (geometric) "
        "average, with the same model and the same number of training tokens."
    )


def flatness(optimum: Mapping[str, Any]) -> str:
    """Say how far each share can move without a noticeable change of the predicted loss."""
    near = optimum["near_optimal"]
    parts = [
        f"{domain} {100 * low:.0f} to {100 * high:.0f}{SPACE}%"
        for domain, (low, high) in list(near["ranges"].items())[:NUM_NAMED]
    ]
    more = len(near["ranges"]) - len(parts)
    parts += [f"{more} more in the table"] if more > 0 else []
    return (
        f"Some mixtures cannot be told from the optimum, although they are predicted to be up to "
        f"{near['tolerance']:.3f} nats worse. They are about {format_level(near['share'])} of all "
        f"allowed mixtures, and their shares range over: {format_list(parts)}."
    )


def verdict(optimum: Mapping[str, Any], confirmation: Mapping[str, Any] | None) -> Finding:
    """Say in one sentence whether the recommendation was tested, and with what result."""
    if confirmation is None:
        return Finding(
            "plain", "This is a prediction: the target model has not been trained to check it."
        )
    gains = confirmation["gains"]
    if not gains:
        return Finding(
            "caution",
            "The target was trained on the recommended mixture alone: its losses are shown, but "
            "they do not show that another mixture is worse.",
        )
    if confirmation["noise"] is None:
        return Finding(
            "caution",
            "The target was trained with a single seed, so that its noise is unknown: its losses "
            "are shown, but they neither confirm nor refute the prediction.",
        )
    short = [name for name, gain in gains.items() if not gain["beyond_noise"]]
    listed = format_list(f"{g['observed']:.3f} nats over {name}" for name, g in gains.items())
    bar = f"twice the noise between seeds ({NOISE_FACTOR:g} × {confirmation['noise']:.3f} nats)"
    trained = f"The {optimum['target']['size']} target was really trained"
    if not short:
        return Finding("good", f"{trained}, and the gain held: {listed}, more than {bar}.")
    return Finding(
        "caution",
        f"{trained}: the optimum gained {listed.replace('-', '−')}. Over {format_list(short)} this "
        f"is within {bar}: the run does not show that the recommended mixture is better there.",
    )


def confirmation_findings(confirmation: Mapping[str, Any]) -> list[Finding]:
    """Say how well the losses of the target were predicted."""
    error = confirmation["mean_absolute_error"]
    findings = [
        Finding(
            "plain",
            f"Predicted and observed losses of the target differ by {error:.3f} nats on average "
            "over validation domains and mixtures.",
        )
    ]
    seeds = len(confirmation["seeds"])
    runs = "one run" if seeds == 1 else f"the mean of {seeds} runs"
    inside = [
        entry["predicted"]["lower"] <= entry["mean"] <= entry["predicted"]["upper"]
        for entry in confirmation["mixtures"].values()
    ]
    findings.append(
        Finding(
            "plain" if all(inside) else "caution",
            f"The observed overall loss is inside the predicted interval of {runs} for "
            f"{sum(inside)} of {len(inside)} mixtures.",
        )
    )
    for name, gain in confirmation["gains"].items():
        low, high = gain["predicted"]["lower"], gain["predicted"]["upper"]
        held = low <= gain["observed"] <= high
        where = "inside" if held else "outside"
        findings.append(
            Finding(
                "plain" if held else "caution",
                f"Gain over {name}: predicted {format_signed(gain['predicted']['value'])} nats, "
                f"observed {format_signed(gain['observed'])}, {where} the predicted "
                "interval of these runs.",
            )
        )
    return findings


def mixture_scores(scores: pd.DataFrame, sizes: Mapping[str, int]) -> pd.DataFrame:
    """Return the scores on unseen mixtures at the largest size that has observed losses.

    The table is empty if there were too few mixtures to keep any out of a fit.
    """
    rows = scores[scores["fold"].isin(list(MIXTURE_FOLDS)) & scores["size"].isin(sizes)]
    if rows.empty:
        return rows
    return rows[rows["size"] == max(rows["size"], key=lambda size: sizes[size])]


def law_findings(scores: pd.DataFrame, reason: str) -> list[Finding]:
    """Say why the mixing law decides, and where it is no better than a baseline.

    `scores` are those of mixture_scores.
    """
    findings = [Finding("plain", f"Mixing law: {reason}.")]
    for fold, rows in scores.groupby("fold", sort=False):
        law = rows.loc[rows["decides"], "law"].iloc[0]
        errors = rows.pivot(index="validation_domain", columns="law", values="mae")
        for baseline in BASELINE_LAWS:
            lost = [str(domain) for domain in errors.index[errors[law] >= errors[baseline]]]
            where = f"all {len(errors)} losses"
            if lost:
                where = f"{len(lost)} of {len(errors)} losses: {some_names(lost)}"
            does = "does not beat" if lost else "beats"
            text = f"On {MIXTURE_FOLDS[str(fold)]} the {law} law {does} the {baseline} baseline in "
            findings.append(Finding("caution" if lost else "good", f"{text}{where}."))
    return findings


def rank_finding(scores: pd.DataFrame, num_params: float) -> Finding | None:
    """Say at which size and tokens errors and ranks were checked; None without scores.

    `scores` are those of mixture_scores; `num_params` belongs to their size.
    """
    if scores.empty:
        return None
    return Finding(
        "plain",
        f"The errors and rank correlations of the mixtures were checked at "
        f"{place_words(scores['size'].iloc[0], num_params, scores['tokens'].iloc[0])}. An order of "
        "mixtures that holds there may not hold at another size or number of tokens.",
    )


def place_words(size: str, num_params: float, tokens: float) -> str:
    """Return a size and a number of tokens in words."""
    return f"size {size} (N = {format_count(num_params)}, D = {format_count(tokens)} tokens)"


def coverage_finding(predictions: pd.DataFrame | None, level: float) -> Finding | None:
    """Say how many losses of held-out mixtures are inside their intervals; None without any.

    `predictions` has the columns kind, mixture, validation_domain, observed, lower and upper.
    """
    if predictions is None:
        return None
    held = predictions[predictions["kind"] == HELD_OUT].dropna(subset=["lower", "upper"])
    if held.empty:
        return None
    inside = (held["observed"] >= held["lower"]) & (held["observed"] <= held["upper"])
    overall = held["validation_domain"] == OVERALL
    stated = format_level(level)
    return Finding(
        "plain" if inside.mean() >= level - 0.1 else "caution",
        f"The {stated} intervals of one new run hold {inside.sum()} of {len(inside)} losses "
        f"({format_level(inside.mean())}) of the {held['mixture'].nunique()} held-out mixtures, "
        f"and {inside[overall].sum()} of their {overall.sum()} overall losses.",
    )


def some_names(names: list[str]) -> str:
    """Return the first names as a list in words, and how many more there are."""
    more = len(names) - NUM_NAMED
    return format_list(names[:NUM_NAMED] + ([f"{more} more"] if more > 0 else []))


def scale_words(target: Mapping[str, Any]) -> str:
    """Return the target in words: its size, parameters and tokens."""
    return (
        f"a model of size {target['size']} ({format_count(target['num_params'])} parameters "
        f"without embeddings) trained on {format_count(target['tokens'])} tokens"
    )
