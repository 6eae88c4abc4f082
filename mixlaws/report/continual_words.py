"""What continual pre-training found, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixlaws.presentation import format_count, format_level, format_loss, format_share
from mixlaws.report.blocks import Finding

Answer = Mapping[str, Any]


def interval_words(answer: Answer) -> str:
    """Return the interval of a critical proportion, of which an end may be beyond all shares.

    A lower end of 0 is below the least share that was trained, an upper end of null above the
    largest one.
    """
    lower, upper = answer["lower"], answer["upper"]
    least, most = (format_share(share) for share in answer["trained"])
    first = f"below {least}" if lower == 0 else _ended(lower, most)
    last = f"below {least}" if upper == 0 else _ended(upper, most)
    return f"{format_level(answer['level'])} interval {first} to {last}"


def _ended(share: float | None, most: str) -> str:
    return f"above {most}" if share is None else format_share(share)


def headline(answer: Answer) -> str:
    """Return the answer in one sentence."""
    least, most = (format_share(share) for share in answer["trained"])
    if answer["status"] == "every":
        return f"Every trained share of the original data keeps their loss, from {least} on."
    if answer["status"] == "none":
        return f"No trained share of the original data keeps their loss, up to {most}."
    return f"{format_share(answer['value'])} of the original data keep their loss."


def lead(answer: Answer) -> str:
    """Return for which run the answer holds, with its interval."""
    return (
        f"Of a model of {format_count(answer['num_params'])} parameters that continues for "
        f"{format_count(answer['tokens'])} tokens ({interval_words(answer)}). The share that keeps "
        "the loss depends on the length of the run: it belongs to this one."
    )


def advice(answer: Answer) -> Finding:
    """Return what to do where the answer is not between the trained shares."""
    if answer["status"] == "every":
        return Finding(
            "caution",
            "The critical proportion is below the least trained share, or there is none: with this "
            "much training the loss on the original domains falls whatever the share. Train lower "
            "shares (continual.shares), or take the least one.",
        )
    if answer["status"] == "none":
        return Finding(
            "caution",
            "The continuation costs more on the original domains than even the largest trained "
            "share gives back. Lower training.learning_rate, continue for longer, let the rate "
            "decay to the end, or train larger shares (continual.shares).",
        )
    return Finding(
        "good", "The critical proportion lies between the least and the largest trained share."
    )


def base_finding(answer: Answer) -> Finding:
    """Return the losses of the base."""
    return Finding(
        "plain",
        f"Before the continuation the loss is {format_loss(answer['base']['original'])} on the "
        f"original domains and {format_loss(answer['base']['new'])} on the new ones.",
    )


def knee_finding(answer: Answer) -> Finding:
    """Return the knee of the trade-off."""
    knee, base = answer["knee"], answer["base"]
    return Finding(
        "plain",
        f"The knee of the trade-off is at {format_share(knee['share'])}: "
        f"{format_loss(knee['original'])} on the original domains "
        f"({knee['original'] - base['original']:+.3f} against the base) and "
        f"{format_loss(knee['new'])} on the new ones ({knee['new'] - base['new']:+.3f}).",
    )


def verification_finding(check: Answer | None, answer: Answer, asked: bool) -> Finding:
    """Return what the runs at the critical proportion say."""
    if check is None:
        if not asked:
            return Finding("plain", "Not verified: continual.verify trains a run at this share.")
        return Finding("caution", f"Not verified: {_case(answer)}, so none was trained again.")
    share, loss = format_share(check["share"]), format_loss(check["original"])
    ends = f"{format_loss(check['lower'])} to {format_loss(check['upper'])}"
    count = "1 run" if check["num_runs"] == 1 else f"mean of {check['num_runs']} runs"
    words = f"Trained at {share}, the loss on the original domains ends at {loss} ({count})"
    if check["is_within"]:
        return Finding("good", f"Verified. {words}, within the interval of the base's: {ends}.")
    if check["status"] == "kept":
        return Finding("good", f"{words}, below the interval of the base's: {ends}.")
    return Finding("caution", f"Not confirmed. {words}, above the interval of the base's: {ends}.")


def _case(answer: Answer) -> str:
    return "every trained share keeps the loss" if answer["status"] == "every" else "none keeps it"


def target_finding(answer: Answer) -> Finding:
    """Return the critical proportion of the target."""
    target = answer["target"]
    where = f"{format_count(target['num_params'])} parameters"
    where += f" and {format_count(target['tokens'])} tokens"
    if target["reason"]:
        return Finding("caution", f"No answer for {where}: {target['reason']}.")
    if "status" not in target:
        return Finding("plain", "The target is the run of the answer.")
    ends = [_share_or_more(target[end]) for end in ("lower", "upper")]
    level = format_level(answer["level"])
    words = f"{_share_or_more(target['value'])} ({level} interval {ends[0]} to {ends[1]})"
    published = (target.get("published") or {}).get("at_target")
    other = (
        ""
        if published is None
        else f" The published form R = b0 + b1 T^s gives {_form(published)}."
    )
    return Finding("plain", f"Extrapolated to {where} by the joint law: {words}.{other}")


def _share_or_more(share: float | None) -> str:
    """Return a share; null means that even the original data alone lose."""
    return "more than all data" if share is None else format_share(share)


def _form(share: float) -> str:
    """Return a share of the published form, which is not held between 0 and 1."""
    return format_share(share) if 0 <= share <= 1 else f"{100 * share:.0f} %, which is no share"


def seed_finding(answer: Answer) -> Finding:
    """Return from what the interval comes."""
    seeds = answer["num_seeds"]
    if seeds == 1:
        return Finding(
            "caution",
            "One seed: the noise of the base's loss is taken to be that of one run. Train more "
            "seeds (training.seeds), each from a base of its own.",
        )
    return Finding(
        "plain",
        f"The interval comes from redrawn runs and from {seeds} seeds, with the noise of the "
        "base's loss and three forms of the law in it.",
    )
