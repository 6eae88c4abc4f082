"""Findings: sentences that say what the numbers of an experiment mean, good or bad."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from mixlaws.presentation import (
    SPACE,
    format_count,
    format_list,
    format_loss,
    format_share,
    format_signed,
)
from mixlaws.provenance import TRAINING_VERSION
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
BASELINE_LAWS = ("linear", "mean")  # simple predictors that a mixing law has to beat
FAR = {"parameters": 10.0, "tokens": 10.0}
"""The page warns of an extrapolation by more than this factor."""
NUM_NAMED = 5


def interval_words(estimate: Mapping[str, float], level: float, of: str) -> str:
    """Return an interval as `90 % interval of the expected loss 0.010 to 0.040`."""
    low, high = (format_loss(estimate[end]).replace("-", "−") for end in ("lower", "upper"))
    return f"{100 * level:.0f}{SPACE}% interval of the expected {of} {low} to {high}"


def gain_findings(optimum: Mapping[str, Any]) -> list[Finding]:
    """Say for each baseline whether the optimum is predicted to be better."""
    findings = []
    for name, baseline in optimum["baselines"].items():
        gain, words = baseline["gain"], interval_words(baseline["gain"], optimum["level"], "gain")
        label = _baseline_words(name)
        if name == BEST_OBSERVED:
            label += f" ({baseline['mixture']})"
        if gain["lower"] > 0:
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


def _baseline_words(name: str) -> str:
    return BASELINE_WORDS.get(name, f"the mixture {name}")


def meaning(optimum: Mapping[str, Any]) -> str:
    """Say what the gain over the first baseline means to someone who does not read nats."""
    loss = "The loss says how surprised the model is by text it has not seen; lower is better. "
    if not optimum["baselines"]:
        return loss.strip()
    name, baseline = next(iter(optimum["baselines"].items()))
    compared = "equal shares" if name == UNIFORM else _baseline_words(name)
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
        f"Some mixtures that are predicted up to {near['tolerance']:.3f} nats worse cannot be told "
        f"from the optimum. Among all such near-optimal mixtures the shares range over: "
        f"{format_list(parts)}."
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
    findings = [Finding("plain", f"Mixing: {reason}.")]
    for fold, rows in scores.groupby("fold", sort=False):
        law = rows.loc[rows["decides"], "law"].iloc[0]
        errors = rows.pivot(index="validation_domain", columns="law", values="mae")
        for baseline in BASELINE_LAWS:
            lost = [str(domain) for domain in errors.index[errors[law] >= errors[baseline]]]
            where = f"all {len(errors)} losses"
            if lost:
                where = f"{len(lost)} of {len(errors)} losses: {_some(lost)}"
            does = "does not beat" if lost else "beats"
            text = f"On {MIXTURE_FOLDS[str(fold)]} the {law} law {does} the {baseline} baseline in "
            findings.append(Finding("caution" if lost else "good", f"{text}{where}."))
    return findings


def _some(names: list[str]) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - NUM_NAMED
    return format_list(names[:NUM_NAMED] + ([f"{more} more"] if more > 0 else []))


def optimum_warnings(optimum: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield warnings about the optimum itself."""
    certificate = optimum["certificate"]
    if not certificate["convex"]:
        yield Finding(
            "caution",
            "The predicted loss is not convex in the shares: the optimum is the best of "
            f"{certificate['num_starts']} searches, without a proof that none is better.",
        )
    for active in optimum["active_constraints"]:
        text = f"The {active['side']} limit of {active['domain']} binds: the optimum stands at "
        text += f"{format_share(active['limit'])}"
        if (price := active["shadow_price_per_billion_tokens"]) is not None:
            text += f"; a billion more tokens of it would change the loss by {price:+.2g} nats"
        yield Finding("caution", f"{text}.")
    if failed := optimum.get("num_failed_replicates", 0):
        yield Finding(
            "caution",
            f"{failed} of {optimum['replicates']} bootstrap refits failed and are not in the "
            "intervals of the shares.",
        )


def extrapolation_warning(
    optimum: Mapping[str, Any], largest_params: float, largest_tokens: float
) -> Finding:
    """Say how far beyond the proxies the target lies."""
    target = optimum["target"]
    factors = {
        "parameters": target["num_params"] / largest_params,
        "tokens": target["tokens"] / largest_tokens,
    }
    far = any(factors[name] > FAR[name] for name in factors)
    listed = format_list(f"{factor:.3g} times the {name}" for name, factor in factors.items())
    return Finding(
        "caution" if far else "plain",
        f"The target has {listed} of the largest proxy: the laws are used that far outside "
        "of what they were fitted to." + (" This is far; treat intervals as too narrow." * far),
    )


def fit_warnings(name: str, laws: pd.DataFrame) -> Iterator[Finding]:
    """Yield warnings about fits that only one start found or that end at a bound."""
    names = laws["mixture"] + " / " + laws["validation_domain"]
    if "size" in laws:
        names = laws["size"] + " / " + names
    alone = names[laws["num_agreeing"] <= 1].tolist()
    if alone:
        yield Finding(
            "caution",
            f"{name}: {len(alone)} of {len(laws)} fits were found by one start only: "
            f"{_some(alone)}.",
        )
    bounds = laws["at_bound"].astype("string").fillna("")
    stuck = (names + " (" + bounds + ")")[bounds != ""].tolist()
    if stuck:
        yield Finding(
            "caution",
            f"{name}: {len(stuck)} of {len(laws)} fits have a parameter at its bound: "
            f"{_some(stuck)}.",
        )


def version_warnings(runs: pd.DataFrame) -> Iterator[Finding]:
    """Yield a warning about runs that were trained by another version of this package.

    Runs that others trained have no version and are skipped.
    """
    if "training_version" not in runs:
        return
    other = runs[runs["training_version"].notna() & (runs["training_version"] != TRAINING_VERSION)]
    if not other.empty:
        names = (other["size"] + " / " + other["mixture"]).drop_duplicates().tolist()
        yield Finding(
            "caution",
            f"{len(other)} of {len(runs)} runs were trained by another version of training than "
            f"today's ({TRAINING_VERSION}), which gives other losses: {_some(names)}. Train them "
            "again.",
        )


def scale_words(target: Mapping[str, Any]) -> str:
    """Return the target in words: its size, parameters and tokens."""
    return (
        f"a model of size {target['size']} ({format_count(target['num_params'])} parameters "
        f"without embeddings) trained on {format_count(target['tokens'])} tokens"
    )
