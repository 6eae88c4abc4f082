"""The answer of an experiment in ten lines, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mixlaws.errors import DataError
from mixlaws.laws.overall import OVERALL
from mixlaws.mixtures.lattice import OPTIMUM
from mixlaws.presentation import (
    format_count,
    format_level,
    format_list,
    format_loss,
    format_mixture,
    format_signed,
    in_ascii,
    table_rows,
)
from mixlaws.report.budget import budget_line
from mixlaws.report.costs import device_hours, measure_costs, saving_words, share_words
from mixlaws.report.data import PageData
from mixlaws.results import BEST_OBSERVED, NOISE_FACTOR, Results
from mixlaws.run_files import RunFiles


def summarise(folder: str | Path, config: Mapping[str, Any]) -> str:
    """Return mixture, predicted loss, gain over each baseline, verdict, cost and page as text.

    `config` is complete. Losses and gains are nats per token. Raises DataError if the experiment
    has no results yet.
    """
    folder = Path(folder)
    check_finished(folder, folder / "optimum.json")
    found = PageData(Results(folder), config)
    target = found.optimum["target"]
    head = (
        f"{config['experiment']}: the mixture for a model of {format_count(target['num_params'])} "
        f"parameters trained on {format_count(target['tokens'])} tokens"
    )
    return as_lines(head, list(_rows(found)))


def check_finished(folder: Path, last: Path) -> None:
    """Raise DataError if the last file of an experiment's results does not exist."""
    if not last.exists():
        raise DataError(
            f"{folder} holds no answer yet: there is no {last.name}. Run the experiment first, or "
            "name the folder that holds results/ with --directory"
        )


def as_lines(head: str, rows: list[tuple[str, str]]) -> str:
    """Return a line for each label and text below a headline, in ASCII as far as names allow."""
    width = max(len(label) for label, _ in rows)
    lines = [f"  {label:<{width}}  {text}" for label, text in rows]
    return in_ascii("\n".join([head, *lines]))


def _rows(found: PageData) -> Iterator[tuple[str, str]]:
    optimum, confirmation = found.optimum, found.confirmation
    gains = confirmation["gains"] if confirmation else {}
    recommends = optimum["support"]["recommends"]
    named = format_mixture(optimum["proportions"])
    yield "mixture", named if recommends else f"{named}: no recommendation, see the verdict"
    yield "loss", _loss(optimum, confirmation)
    if found.results.budget:
        yield "size and tokens", budget_line(found.results.budget)
    for name, baseline in optimum["baselines"].items():
        label = f"best observed ({baseline['mixture']})" if name == BEST_OBSERVED else name
        parts = [f"{_signed(baseline['gain'])} predicted"] if recommends else []
        parts += [f"{format_signed(gains[name]['observed'])} observed"] if name in gains else []
        if parts:
            yield f"gain over {label}", ", ".join(parts)
    if saved := saving_words(optimum):
        yield "fewer tokens", saved
    yield "verdict", _verdict(optimum, confirmation)
    yield "cost", _cost(found)
    costs = measure_costs(found)
    share = share_words(costs.proxy_flops, costs.target_flops)
    yield "cost of the proxies", f"{share} of one run of the target, in FLOPs"
    yield "page", str(found.results.folder / "report.html")


def _loss(optimum: Mapping[str, Any], confirmation: Mapping[str, Any] | None) -> str:
    """Return the overall loss, predicted as far as the laws support it, and observed."""
    words = optimum["support"]["loss_reason"].rstrip(".")
    if optimum["support"]["states_loss"]:
        overall = optimum["predicted"][OVERALL]
        ends = " to ".join(format_loss(overall[end]) for end in ("lower", "upper"))
        level = f"{format_level(optimum['level'])} interval {ends}"
        words = f"{format_loss(overall['value'])} predicted ({level})"
    if confirmation:
        seeds = len(confirmation["seeds"])
        mean = format_loss(confirmation["mixtures"][OPTIMUM]["mean"])
        words += ", " if optimum["support"]["states_loss"] else "; "
        words += f"{mean} observed ({'1 run' if seeds == 1 else f'mean of {seeds} runs'})"
    return words


def _signed(estimate: Mapping[str, float]) -> str:
    ends = " to ".join(format_signed(estimate[end]) for end in ("lower", "upper"))
    return f"{format_signed(estimate['value'])} ({ends})"


def _verdict(optimum: Mapping[str, Any], confirmation: Mapping[str, Any] | None) -> str:
    """Return whether trained targets confirm the mixture, or what the prediction alone can say."""
    if not optimum["support"]["recommends"]:
        return f"no recommendation: {optimum['support']['reason']}"
    if confirmation is None:
        return _untested(optimum)
    gains, noise = confirmation["gains"], confirmation["noise"]
    if not gains:
        return "not tested: the target was trained on no other mixture to compare with"
    if noise is None:
        return "not tested: one seed does not show the noise between runs"
    bar = f"twice the noise between seeds ({NOISE_FACTOR * noise:.3f} nats)"
    short = [name for name, gain in gains.items() if not gain["beyond_noise"]]
    if short:
        return f"not confirmed: the gain over {format_list(short)} is within {bar}"
    return f"confirmed: the gain over {format_list(gains)} is beyond {bar}"


def _untested(optimum: Mapping[str, Any]) -> str:
    unsure = [
        name.replace("_", " ")
        for name, baseline in optimum["baselines"].items()
        if baseline["gain"]["lower"] <= 0
    ]
    words = "predicted, not tested: the target was not trained"
    return f"{words}; it cannot be told from {format_list(unsure)}" if unsure else words


def _cost(found: PageData) -> str:
    """Return device-hours of all attempts and FLOPs of the runs; imported runs may lack both."""
    hours = [device_hours(files) or 0.0 for files in _files(found)]
    words = [f"{sum(hours):.2f} device-hours"] if any(hours) else []
    price = found.config.get("plan", {}).get("price_per_device_hour")
    if words and price is not None:
        words[0] += f" (price {price * sum(hours):,.2f})"
    if "flops" in found.runs and (flops := found.runs["flops"].sum()) > 0:
        words.append(f"{flops:.2e} FLOPs")
    return f"{' and '.join(words) or 'not recorded'} for {len(found.runs)} training runs"


def _files(found: PageData) -> Iterator[RunFiles]:
    for row in table_rows(found.runs):
        if row.role == "proxy":
            yield found.results.run(str(row.size), str(row.mixture), int(row.seed))
        else:
            yield found.results.confirmation_run(str(row.mixture), int(row.seed))
