"""What the proxies cost beside one run of the target, and what the mixture saves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mixlaws.files import read_json
from mixlaws.presentation import (
    MINUS,
    SPACE,
    format_count,
    format_flops,
    format_level,
    format_seconds,
    format_share,
    table_rows,
)
from mixlaws.report.blocks import Finding, PageTable
from mixlaws.report.data import PageData
from mixlaws.results import BEST_OBSERVED
from mixlaws.run_files import RunFiles

RUN_KEYS = ["size", "mixture", "seed"]
LEAST_SHARE = 0.001
"""A smaller share of the target's cost is not stated exactly."""


@dataclass(frozen=True)
class Costs:
    """The cost of all proxies and of one run of the target."""

    num_proxies: int
    proxy_tokens: float
    proxy_flops: float
    """By the rule 6 N D."""
    target_flops: float
    """By the rule 6 N D."""
    proxy_hours: float | None
    """Device-hours of all attempts; None if they were not recorded."""
    target_hours: float | None
    """Device-hours at the FLOPs per second of the largest proxies."""
    price: float | None
    """Of a device-hour."""


def measure_costs(found: PageData) -> Costs:
    """Return the costs of an experiment from its tables and the timing of its runs."""
    runs, losses, target = found.proxies, found.results.losses, found.optimum["target"]
    tokens = losses.groupby(RUN_KEYS)["tokens"].max().rename("seen").reset_index()
    trained = runs[[*RUN_KEYS, "num_params"]].merge(tokens, on=RUN_KEYS)
    flops = 6 * trained["num_params"] * trained["seen"]
    target_flops = 6.0 * target["num_params"] * target["tokens"]
    hours = [device_hours(found.results.run(*key)) for key in _keys(trained)]
    recorded = None not in hours
    spent = trained.assign(flops=flops, hours=[each or 0.0 for each in hours])
    largest = spent[spent["num_params"] == spent["num_params"].max()]
    per_flop = float(largest["hours"].sum() / largest["flops"].sum())
    return Costs(
        num_proxies=len(runs),
        proxy_tokens=float(trained["seen"].sum()),
        proxy_flops=float(flops.sum()),
        target_flops=target_flops,
        proxy_hours=float(spent["hours"].sum()) if recorded else None,
        target_hours=per_flop * target_flops if recorded else None,
        price=found.config.get("plan", {}).get("price_per_device_hour"),
    )


def _keys(table: Any) -> Iterator[tuple[str, str, int]]:
    for row in table_rows(table):
        yield str(row.size), str(row.mixture), int(row.seed)


def device_hours(files: RunFiles) -> float | None:
    """Return the device-hours of all attempts of a run, None if it was trained elsewhere."""
    if not files.timing.exists():
        return None
    return float(read_json(files.timing)["device_seconds_of_all_attempts"]) / 3600


def cost_findings(found: PageData) -> list[Finding]:
    """Say what the proxies cost, and how that compares with one run of the target."""
    costs, runs = measure_costs(found), found.proxies
    said = [
        Finding(
            "plain",
            f"{costs.num_proxies} proxies were trained on {format_count(costs.proxy_tokens)} "
            f"tokens in total. By the rule 6 N D that is {format_flops(costs.proxy_flops)} FLOPs, "
            f"or {share_words(costs.proxy_flops, costs.target_flops)} of one run of the target.",
        )
    ]
    if "seconds" in runs:
        seconds = float(runs["seconds"].sum())
        text = f"Training time, summed over the proxies: {format_seconds(seconds)}."
        said.append(Finding("plain", text))
    confirmed = found.results.confirmation_runs
    if confirmed is not None and "seconds" in confirmed:
        seconds = float(confirmed["seconds"].sum())
        text = f"{len(confirmed)} runs of the target to confirm: {format_seconds(seconds)}."
        said.append(Finding("plain", text))
    return said


def share_words(spent: float, target: float) -> str:
    """Return a cost as a share of another, or as a multiple of it."""
    ratio = spent / target
    if ratio < LEAST_SHARE:
        return f"less than {format_share(LEAST_SHARE)}"
    return f"{ratio:.3g} times the cost" if ratio >= 1.5 else format_share(ratio)


def cost_share_table(found: PageData) -> PageTable:
    """Return FLOPs, device-hours and, where stated, the price of all proxies and of the target."""
    costs = measure_costs(found)
    rows = [
        _cost_row("FLOPs, by 6 N D", costs.proxy_flops, costs.target_flops, format_flops),
    ]
    if costs.proxy_hours is not None and costs.target_hours is not None:
        hours = costs.proxy_hours, costs.target_hours
        rows.append(_cost_row("device-hours", *hours, _hours))
        if costs.price is not None:
            prices = costs.price * hours[0], costs.price * hours[1]
            rows.append(_cost_row("price", *prices, "{:,.2f}".format))
    caption = (
        "What the proxies cost beside one run of the target. Its device-hours are those at the "
        "FLOPs per second of the largest proxies."
    )
    header = ["cost", "all proxies", "one run of the target", "share"]
    return PageTable(caption, header, rows)


def _cost_row(name: str, proxies: float, target: float, form: Any) -> list[str]:
    return [name, form(proxies), form(target), share_words(proxies, target)]


def _hours(hours: float) -> str:
    return f"{hours:,.3g}"


def saving_table(optimum: Mapping[str, Any]) -> PageTable | None:
    """Return how many fewer tokens reach each baseline's loss; None where nothing may be said."""
    if not optimum["support"]["recommends"]:
        return None
    rows = []
    for name, baseline in optimum["baselines"].items():
        saved = baseline["saved_tokens"]
        if saved is None:
            continue
        label = f"best observed: {baseline['mixture']}" if name == BEST_OBSERVED else name
        tokens = (1 - saved["value"]) * optimum["target"]["tokens"]
        ends = f"{_percent(saved['lower'])} to {_percent(saved['upper'])}"
        rows.append([label, _percent(saved["value"]), ends, format_count(tokens)])
    if not rows:
        return None
    caption = (
        "Fewer tokens to the same loss: with how many tokens less than the target's "
        f"{format_count(optimum['target']['tokens'])} the optimum reaches the loss of each mixture "
        "at the target's size. A negative number means more tokens."
    )
    interval = f"{format_level(optimum['level'])} interval"
    return PageTable(caption, ["mixture", "fewer tokens", interval, "tokens needed"], rows)


def saving_words(optimum: Mapping[str, Any]) -> str:
    """Return the fewer tokens over each baseline for one line; empty where nothing may be said."""
    if not optimum["support"]["recommends"]:
        return ""
    parts = []
    for name, baseline in optimum["baselines"].items():
        if saved := baseline["saved_tokens"]:
            ends = f"{_percent(saved['lower'])} to {_percent(saved['upper'])}"
            label = name.replace("_", " ")
            parts.append(f"{_percent(saved['value'])} ({ends}) to the loss of {label}")
    return ", ".join(parts)


def _percent(share: float) -> str:
    return f"{round(100 * share)}{SPACE}%".replace("-", MINUS)
