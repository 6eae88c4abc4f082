"""Words and table of the best size and tokens for a number of FLOPs (budget.json)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mixlaws.presentation import (
    format_count,
    format_flops,
    format_level,
    format_list,
    format_loss,
    format_mixture,
    in_ascii,
)
from mixlaws.report.blocks import Finding, PageFigure, PageTable, Section

Record = Mapping[str, Any]
PARAMETERS = {
    "E": "irreducible loss E (nats)",
    "A": "A, the size's part at N0 (nats)",
    "alpha": "alpha, exponent of the size",
    "B": "B, the tokens' part at D0 (nats)",
    "beta": "beta, exponent of the tokens",
}


def make_budget_section(
    record: Record | None, figures: Callable[[str], list[PageFigure]], *, runs: str
) -> Section | None:
    """Return the section on a number of FLOPs; None if nobody asked.

    `figures` returns those of a section; `runs` says which runs L(N, D) was fitted to.
    """
    if record is None:
        return None
    table = parameter_table(record)
    return Section(
        "budget",
        "How large, how long",
        "Which size and how many tokens give the lowest loss for a number of FLOPs "
        f"({record['count']}), by L(N, D) fitted to {runs} of one mixture.",
        budget_findings(record),
        figures("budget"),
        [table] if table else [],
    )


def budget_findings(record: Record) -> list[Finding]:
    """Return the best size and tokens, the rule of thumb, and whether data should grow first."""
    found = [*_optimum_findings(record)]
    if "parameters" in record:
        found.append(_advice(record))
        found.append(_growth(record))
    return [*found, *_joint_findings(record["joint"], record["level"])]


def _optimum_findings(record: Record) -> Iterator[Finding]:
    flops, mixture = format_flops(record["flops"]), record["mixture"]
    if record["reason"]:
        text = f"No size is named for {flops} FLOPs on the mixture {mixture}. {record['reason']}"
        yield Finding("caution", text)
        return
    level, best = record["level"], record["optimum"]
    yield Finding(
        "good",
        f"With {flops} FLOPs and the mixture {mixture}, the lowest loss is predicted for a model "
        f"of {_interval(best['num_params'], level)} parameters trained on "
        f"{_interval(best['tokens'], level)} tokens.",
    )
    ratio, rule = best["tokens_per_parameter"], record["rule_of_thumb"]
    common = rule["tokens_per_parameter"]
    if ratio["lower"] <= common <= ratio["upper"]:
        words = f"The rule of thumb of {common:.0f} lies within this interval"
    else:
        words = f"The rule of thumb of {common:.0f} lies outside this interval"
    yield Finding(
        "plain",
        f"These are {_interval(ratio, level, _number)} tokens per parameter. {words}. It would "
        f"train {format_count(rule['num_params'])} parameters on {format_count(rule['tokens'])} "
        f"tokens, and its predicted loss is {_interval(rule['excess'], level, format_loss)} nats "
        "higher.",
    )


def _advice(record: Record) -> Finding:
    """Answer whether data should grow before size, from the fit."""
    step, level = record["next_doubling"], record["level"]
    gains = (_interval(step[f"gain_of_{what}"], level, format_loss) for what in ("tokens", "size"))
    by_tokens, by_size = gains
    ratio = step["ratio"]
    if ratio["lower"] > 1:
        answer = "Yes"
    elif ratio["upper"] < 1:
        answer = "No, let the size grow first"
    else:
        answer = "These runs do not tell"
    return Finding(
        "plain",
        f"Should data grow before size? {answer}. From the largest run of this mixture "
        f"({format_count(step['num_params'])} parameters, {format_count(step['tokens'])} tokens), "
        f"twice the tokens lower the loss by {by_tokens} nats and twice the parameters by "
        f"{by_size} nats. "
        f"Both cost the same. Tokens gain {_interval(ratio, level, _number)} times as much as "
        "parameters.",
    )


def _growth(record: Record) -> Finding:
    growth, level = record["growth"], record["level"]
    return Finding(
        "plain",
        f"With {growth['flops']:.0f} times the FLOPs, let the parameters grow "
        f"{_interval(growth['num_params'], level, _number)} times and the tokens "
        f"{_interval(growth['tokens'], level, _number)} times.",
    )


def _joint_findings(joint: Record, level: float) -> Iterator[Finding]:
    if joint["reason"]:
        yield Finding("plain", f"Size, tokens and mixture together: {joint['reason']}")
        return
    yield Finding(
        "plain",
        "If the mixture is chosen too, within the limits of the shares and of the text that there "
        f"is, the joint laws take {_interval(joint['num_params'], level)} parameters, "
        f"{_interval(joint['tokens'], level)} tokens and {format_mixture(joint['proportions'])}.",
    )
    if joint["uses_all_text"]:
        yield Finding(
            "caution",
            "This uses all text that the limits allow: a smaller model would need more tokens than "
            "there are.",
        )
    elif joint["at_limit"]:
        yield Finding("plain", f"At their limit: {format_list(joint['at_limit'])}.")
    free = joint.get("unlimited", {"reason": "not asked"})
    if not free["reason"] and (joint["uses_all_text"] or joint["at_limit"]):
        yield Finding(
            "plain",
            f"With as much text as wanted it would be {_interval(free['num_params'], level)} "
            f"parameters, {_interval(free['tokens'], level)} tokens and "
            f"{format_mixture(free['proportions'])}.",
        )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _interval(
    estimate: Mapping[str, float], level: float, form: Callable[[float], str] = format_count
) -> str:
    """Return a value with its interval, if it has one."""
    if "lower" not in estimate:
        return form(estimate["value"])
    ends = f"{form(estimate['lower'])} to {form(estimate['upper'])}"
    return f"{form(estimate['value'])} ({format_level(level)} interval {ends})"


def parameter_table(record: Record) -> PageTable | None:
    """Return the parameters of L(N, D) with their intervals; None without a fit."""
    if "parameters" not in record:
        return None
    rows = []
    for name, words in PARAMETERS.items():
        found = record["parameters"][name]
        ends = f"{found['lower']:.3f} to {found['upper']:.3f}"
        rows.append([words, f"{found['value']:.3f}", ends])
    caption = (
        "L(N, D) = E + A (N / N0)^-alpha + B (D / D0)^-beta of the overall loss, mixture "
        f"{record['mixture']}: N0 = {format_count(record['reference_params'])}, "
        f"D0 = {format_count(record['reference_tokens'])}, fitted to {record['num_runs']} runs."
    )
    header = ["parameter", "value", f"{format_level(record['level'])} interval"]
    return PageTable(caption, header, rows)


def describe_budget(record: Record) -> str:
    """Return the answer for the terminal: one line for each finding, then the parameters."""
    lines = [each.text for each in budget_findings(record)]
    table = parameter_table(record)
    if table is not None:
        lines += [table.caption, *(f"  {row[0]}: {row[1]} ({row[2]})" for row in table.rows)]
    return in_ascii("\n".join(lines)).replace(" × 10", "e").translate(PLAIN_DIGITS)


PLAIN_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
"""A terminal may not show the raised digits of a number of FLOPs."""


def budget_line(record: Record) -> str:
    """Return the best size and tokens for the line of `mixlaws show`."""
    flops = f"{record['flops']:.2e} FLOPs"
    if record["reason"]:
        return f"no answer for {flops}: {record['reason']}"
    best, level = record["optimum"], record["level"]
    return (
        f"{_interval(best['num_params'], level)} parameters, {_interval(best['tokens'], level)} "
        f"tokens for {flops} on {record['mixture']}"
    )
