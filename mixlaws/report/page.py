"""The report page: one self-contained HTML file, read from the results folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mixlaws import __version__
from mixlaws.errors import DataError
from mixlaws.files import read_json
from mixlaws.presentation import format_loss, format_mixture, ordered, ordered_rows
from mixlaws.report import findings
from mixlaws.report import tables as report_tables
from mixlaws.report.sections import RUN_KEY, SECTIONS, Results
from mixlaws.report.template import write_page
from mixlaws.tables import read_table


def write_report(results: Path, config: Mapping[str, Any], output: Path) -> None:
    """Write the page of an experiment whose figures are drawn.

    `config` is complete (mixlaws.config.complete_config). Raises DataError for a file that every
    experiment has and this one lacks; files of stages that are off leave their part out.
    """
    found = _read(Path(results), config)
    sections = [build(found) for build in SECTIONS]
    write_page("report/page.html.j2", _summary(found), [part for part in sections if part], output)


def _read(folder: Path, config: Mapping[str, Any]) -> Results:
    """Read the tables that several parts of the page need."""
    if not (folder / "figures").is_dir():
        raise DataError(f"{folder / 'figures'} must hold the figures: run draw_figures first")
    runs = _read_runs(folder)
    scores = read_table(folder / "laws" / "scores.csv", ["law", "fold", "size", "decides"])
    proxies = runs[runs["role"] == "proxy"]
    counts = proxies.groupby("size")["num_params"].first()
    sizes = {str(size): int(count) for size, count in counts.items()}
    confirmation = folder / "confirmation.json"
    domains = list(config["domains"])
    measured = [*domains, *config["validation"]["domains"]]
    scores = ordered_rows(scores, "validation_domain", measured)
    return Results(
        folder=folder,
        config=config,
        optimum=_ordered_optimum(read_json(folder / "optimum.json"), domains),
        choice=read_json(folder / "laws" / "choice.json"),
        confirmation=(
            _ordered_confirmation(read_json(confirmation), measured)
            if confirmation.exists()
            else None
        ),
        runs=runs,
        scores=findings.mixture_scores(scores, sizes),
        all_scores=scores,
    )


def _ordered_optimum(record: dict[str, Any], domains: Sequence[str]) -> dict[str, Any]:
    """Return optimum.json with domains in the order of the config, the plainest baseline first."""
    near = record["near_optimal"]
    return record | {
        "proportions": ordered(record["proportions"], domains),
        "near_optimal": near | {"ranges": ordered(near["ranges"], domains)},
        "baselines": ordered(record["baselines"], list(findings.BASELINE_NAMES)),
    }


def _ordered_confirmation(record: dict[str, Any], measured: Sequence[str]) -> dict[str, Any]:
    """Return confirmation.json with the optimum first and the domains in the config's order."""
    mixtures = ["optimum", *findings.BASELINE_NAMES]
    return record | {
        "mixtures": ordered(record["mixtures"], mixtures),
        "gains": ordered(record["gains"], mixtures),
        "domains": ordered(record["domains"], measured),
    }


def _read_runs(folder: Path) -> pd.DataFrame:
    """Return proxies and confirmation runs in one table, with their role."""
    columns = [*RUN_KEY[1:], "num_params", "tokens", "flops", "seconds", "training_version"]
    tables = []
    for role, name in (("proxy", "runs.csv"), ("confirmation", "confirmation_runs.csv")):
        if role == "proxy" or (folder / name).exists():
            tables.append(read_table(folder / name, columns).assign(role=role))
    return pd.concat(tables, ignore_index=True)


def _summary(found: Results) -> dict[str, Any]:
    """Return what the first screen says."""
    optimum = found.optimum
    overall = optimum["predicted"]["overall"]
    weights = {d: s for d, s in found.config["validation"]["weights"].items() if s > 0}
    return {
        "experiment": found.config["experiment"],
        "mixture": format_mixture(optimum["proportions"]),
        "target": findings.scale_words(optimum["target"]),
        "weights": format_mixture(weights),
        "loss": format_loss(overall["value"]),
        "interval": findings.interval_words(overall, optimum["level"]),
        "shares": _bars(optimum),
        "verdict": findings.verdict(optimum, found.confirmation),
        "gains": findings.gain_findings(optimum),
        "meaning": findings.meaning(optimum),
        "flatness": findings.flatness(optimum),
        "tables": [
            report_tables.share_table(optimum, optimum["level"]),
            report_tables.gain_table(optimum),
        ],
        "version": __version__,
    }


def _bars(optimum: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each domain's share and interval in percent, as numbers to draw with."""
    bars = []
    for domain, share in optimum["proportions"].items():
        low, high = optimum["intervals"][domain]
        percent = {"share": 100 * share, "low": 100 * low, "width": 100 * (high - low)}
        bars.append({"domain": domain} | percent)
    return bars
