"""The sections of the report page, each built from the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mixlaws import __version__
from mixlaws.files import read_json
from mixlaws.losses.arrays import schedule_of
from mixlaws.losses.tables import read_losses
from mixlaws.provenance import versions
from mixlaws.report import findings
from mixlaws.report import tables as report_tables
from mixlaws.report import text as report_text
from mixlaws.report.figures import PageFigure, page_figures
from mixlaws.report.findings import Finding
from mixlaws.report.tables import PageTable
from mixlaws.runs.schedules import make_schedule
from mixlaws.tables import read_table
from mixlaws.text.sources import SOURCES

ANALYSIS_PACKAGES = ("numpy", "scipy", "pandas", "seaborn", "matplotlib", "jinja2")
RUN_KEY = ["role", "size", "mixture", "seed"]


@dataclass(frozen=True)
class Section:
    """A part of the page under one heading; what is empty is left out."""

    id: str
    title: str
    lead: str
    findings: Sequence[Finding] = ()
    figures: Sequence[PageFigure] = ()
    tables: Sequence[PageTable] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    """Text files shown as they are, by name."""


@dataclass(frozen=True, eq=False)
class Results:
    """What the page reads of a results folder."""

    folder: Path
    config: Mapping[str, Any]
    optimum: Mapping[str, Any]
    choice: Mapping[str, Any]
    confirmation: Mapping[str, Any] | None
    runs: pd.DataFrame
    """Proxies and, if trained, the target: role is proxy or confirmation."""
    scores: pd.DataFrame
    """On unseen mixtures, at the largest proxy size; then all folds in `all_scores`."""
    all_scores: pd.DataFrame

    @property
    def proxies(self) -> pd.DataFrame:
        """Return the runs that the laws were fitted to."""
        return self.runs[self.runs["role"] == "proxy"]

    def figures(self, *names: str) -> list[PageFigure]:
        """Return the named figures that were drawn."""
        return page_figures(self.folder / "figures", *names)


def confirmation_section(found: Results) -> Section | None:
    """Return predicted against observed losses of the target, if it was trained."""
    record = found.confirmation
    if record is None:
        return None
    noise = "unknown: one seed" if record["noise"] is None else f"{record['noise']:.3f} nats"
    return Section(
        "confirmation",
        "Confirmation: the target, really trained",
        "After the prediction was made, the target was trained on the recommended mixture and on "
        "those it is compared with, each with the same seeds. Noise is how much the difference "
        f"between two mixtures wavers from seed to seed: {noise} (pooled standard deviation).",
        [findings.verdict(found.optimum, record), *findings.confirmation_findings(record)],
        found.figures("confirmation"),
        [report_tables.confirmation_table(record)],
    )


def quality_section(found: Results) -> Section:
    """Return the scores on what was not fitted, beside the baselines."""
    folds = [fold for fold in findings.MIXTURE_FOLDS if fold in set(found.scores["fold"])]
    tables = [report_tables.score_table(found.scores, fold) for fold in folds]
    tables.append(report_tables.domain_score_table(found.scores, folds[0]))
    forward = report_tables.forward_table(found.all_scores)
    inner = report_tables.joint_fold_table(found.choice.get("joint_folds", []))
    return Section(
        "quality",
        "How good the laws are",
        "A law is scored on mixtures, sizes and steps that it was not fitted to, beside "
        "baselines: the mean of the other mixtures, a straight line in the shares (linear) and, "
        "where it predicts anything, what was observed last (best-observed). Regret is what "
        "following the law would have cost against knowing the best mixture.",
        findings.law_findings(found.scores, found.choice["reasons"]),
        found.figures("predicted_vs_observed"),
        [*tables, *(table for table in (forward, inner) if table)],
    )


def text_section(found: Results) -> Section:
    """Return what was read and what is left of it."""
    accounting = read_table(found.folder / "accounting.csv", ["domain", "split", "num_tokens"])
    contamination = read_table(found.folder / "contamination.csv", ["num_overlapping", "share"])
    sources = found.config["domains"] | found.config["validation"]["domains"]
    given = [d for d, source in sources.items() if not SOURCES[source["source"]].holds_text]
    return Section(
        "text",
        "The text",
        "What was read, what was dropped and what is left, per domain and split. Training "
        "documents that were found to repeat validation text are removed.",
        report_text.contamination_findings(contamination, given),
        found.figures("tokens_per_domain"),
        [
            report_text.trace_table(accounting),
            report_text.accounting_table(accounting),
            report_text.contamination_table(contamination),
            report_text.fingerprint_table(accounting),
        ],
    )


def runs_section(found: Results) -> Section:
    """Return the trained models, mixtures and runs."""
    mixtures = read_table(found.folder / "mixtures.csv", ["id", "kind"])
    domains = list(found.config["domains"])
    largest = str(found.proxies.sort_values("num_params")["size"].iloc[-1])
    return Section(
        "runs",
        "The runs",
        "Small models (proxies) trained on every mixture; the laws are fitted to their losses.",
        figures=found.figures("training_curves"),
        tables=[
            report_tables.size_table(found.runs),
            report_tables.mixture_table(mixtures, domains),
            report_text.bits_table(read_losses(found.folder / "losses.parquet"), largest),
            report_tables.run_table(found.runs, _final_losses(found)),
        ],
    )


def _final_losses(found: Results) -> pd.Series:
    """Return the overall loss at the end of each run."""
    tables = []
    for role, name in (("proxy", "losses"), ("confirmation", "confirmation")):
        if role == "proxy" or (found.folder / f"{name}.parquet").exists():
            tables.append(read_losses(found.folder / f"{name}.parquet").assign(role=role))
    losses = pd.concat(tables)
    last = losses[losses["step"] == losses.groupby(RUN_KEY)["step"].transform("max")]
    weights = last["validation_domain"].map(found.config["validation"]["weights"]).fillna(0.0)
    return last.assign(loss=last["loss"] * weights).groupby(RUN_KEY)["loss"].sum()


def laws_section(found: Results) -> Section:
    """Return the figures of the laws and of the optimum."""
    names = ("step_law", "size_law", "interaction_matrix", "simplex", "optimum")
    return Section(
        "laws",
        "The laws and the optimum",
        "From small to large: losses follow a law over tokens, over parameters, and over the "
        "mixture. Dashed always means extrapolated. Points kept out of a fit always look different "
        "from fitted ones. A domain has the same colour in every figure.",
        findings=[schedule_finding(found.proxies)],
        figures=found.figures(*names),
    )


def schedule_finding(proxies: pd.DataFrame) -> Finding:
    """Say which learning-rate schedule the step law was fitted on."""
    settings = schedule_of(proxies)
    num_steps = int(proxies["num_steps"].max())
    schedule = make_schedule(settings, num_steps)
    text = f"The step law was fitted to losses of one schedule: {schedule.words()}."
    if settings["schedule"] == "constant":
        return Finding("plain", text)
    end = settings["schedule_horizon"] or num_steps
    return Finding(
        "caution",
        f"{text} The proxies stop at step {num_steps:,} of {int(end):,}. Losses before its end are "
        "those of a rate that has not fallen yet: a step law carries them on as if it never did, "
        "and the joint laws alone have a term for the fall.",
    )


def cost_section(found: Results) -> Section | None:
    """Return the cost per stage, if its figure was drawn."""
    path = found.folder / "figures" / "cost.csv"
    if not path.exists():
        return None
    costs = read_table(path, ["stage", "num_jobs", "seconds", "flops"])
    return Section(
        "cost",
        "What it cost",
        "Time and training FLOPs of each stage.",
        figures=found.figures("cost"),
        tables=[report_tables.cost_table(costs)],
    )


def warnings_section(found: Results) -> Section:
    """Return everything that limits the trust in the numbers."""
    proxies = found.proxies
    warnings = [
        findings.extrapolation_warning(
            found.optimum, proxies["num_params"].max(), proxies["tokens"].max()
        ),
        *findings.optimum_warnings(found.optimum),
    ]
    for name, words in (("step_law", "Step law"), ("size_law", "Size law")):
        path = found.folder / "laws" / f"{name}.csv"
        if path.exists():
            laws = read_table(path, ["mixture", "validation_domain", "num_agreeing", "at_bound"])
            warnings += findings.fit_warnings(words, laws)
    warnings += findings.version_warnings(found.runs)
    lead = "What limits the trust in these numbers."
    return Section("warnings", "Warnings", lead, warnings)


def provenance_section(found: Results) -> Section:
    """Return versions and config."""
    record = {"mixlaws": __version__} | versions(*ANALYSIS_PACKAGES)
    record |= {f"training: {name}": value for name, value in _training_versions(found.folder)}
    tables = [
        report_tables.settings_table("Versions.", record),
        report_tables.settings_table("The config, every default filled in.", found.config),
    ]
    return Section(
        "provenance",
        "Provenance",
        "What made this page: the same config and versions give the same numbers.",
        tables=tables,
    )


def _training_versions(folder: Path) -> list[tuple[str, str]]:
    """Return the versions that the runs were trained with; several where they differ."""
    found: dict[str, set[str]] = {}
    for path in sorted(folder.glob("runs/*/*/*/run.json")):
        for name, version in read_json(path).get("versions", {}).items():
            found.setdefault(name, set()).add(version)
    return [(name, ", ".join(sorted(found[name]))) for name in sorted(found)]


def recipes_section(found: Results) -> Section | None:
    """Return the files that trainers read, if there are any."""
    paths = sorted((found.folder / "recipes").glob("[!.]*"))
    if not paths:
        return None
    return Section(
        "recipes",
        "Recipes",
        "The recommended mixture in the formats that trainers read.",
        files={path.name: path.read_text(encoding="utf-8") for path in paths},
    )


SECTIONS = (
    confirmation_section,
    quality_section,
    text_section,
    runs_section,
    laws_section,
    cost_section,
    warnings_section,
    provenance_section,
    recipes_section,
)
