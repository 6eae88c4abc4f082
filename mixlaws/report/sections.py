"""The sections of the report page, each built from the results."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from mixlaws import __version__
from mixlaws.losses.arrays import schedule_of
from mixlaws.provenance import versions
from mixlaws.report import findings
from mixlaws.report import tables as report_tables
from mixlaws.report import text as report_text
from mixlaws.report.blocks import Finding, Section
from mixlaws.report.data import PageData
from mixlaws.report.forward import forward_findings
from mixlaws.report.imported import imported_section
from mixlaws.results import Results
from mixlaws.runs.schedules import make_schedule

ANALYSIS_PACKAGES = ("numpy", "scipy", "pandas", "seaborn", "matplotlib", "jinja2")


def confirmation_section(found: PageData) -> Section | None:
    """Return predicted against observed losses of the target, if it was trained."""
    record = found.confirmation
    if record is None:
        return None
    noise = "unknown: one seed" if record["noise"] is None else f"{record['noise']:.3f} nats"
    return Section(
        "confirmation",
        "Confirmation: predicted and observed loss of the target",
        "After the prediction was made, the target was trained on the recommended mixture and on "
        "those it is compared with, each with the same seeds. Noise is how much the difference "
        f"between two mixtures wavers from seed to seed: {noise} (pooled standard deviation).",
        [findings.verdict(found.optimum, record), *findings.confirmation_findings(record)],
        found.figures("confirmation"),
        [report_tables.confirmation_table(record)],
    )


def quality_section(found: PageData) -> Section | None:
    """Return the scores of laws and baselines on unseen losses, if laws were scored."""
    scores, choice = found.scores, found.results.choice
    if scores is None or choice is None:
        return None
    folds = [fold for fold in findings.MIXTURE_FOLDS if fold in set(scores["fold"])]
    tables = [report_tables.score_table(scores, fold) for fold in folds]
    tables += [report_tables.domain_score_table(scores, fold) for fold in folds[:1]]
    forward = report_tables.forward_table(choice["folds"], choice["pipeline"])
    inner = report_tables.joint_fold_table(choice.get("joint_folds", []))
    return Section(
        "quality",
        "How good the laws are",
        "A law is scored on mixtures, sizes and steps that it was not fitted to, beside "
        "baselines: the mean of the other mixtures, a straight line in the shares (linear) and, "
        "where it predicts anything, what was observed last (best-observed). Regret is what "
        "following the law would have cost against knowing the best mixture.",
        [*forward_findings(choice), *findings.law_findings(scores, choice["reasons"]["mixing"])],
        found.figures("quality"),
        [*tables, *(table for table in (forward, inner) if table)],
    )


def text_section(found: PageData) -> Section | None:
    """Return how much text was read, dropped and kept, if there is an accounting of it."""
    accounting, contamination = found.results.accounting, found.results.contamination
    if accounting is None:
        return None
    tables = [report_text.trace_table(accounting), report_text.accounting_table(accounting)]
    overlap: list[Finding] = []
    if contamination is not None:
        sources = found.config["domains"] | found.config["validation"]["domains"]
        compared = {*contamination["validation_domain"], *contamination["training_domain"]}
        given = [domain for domain in sources if domain not in compared]
        overlap = report_text.contamination_findings(contamination, given)
        tables.append(report_text.contamination_table(contamination))
    tables.append(report_text.fingerprint_table(accounting))
    return Section(
        "text",
        "The text",
        "What was read, what was dropped and what is left, per domain and split. Training "
        "documents that were found to repeat validation text are removed.",
        overlap,
        found.figures("text"),
        tables,
    )


def runs_section(found: PageData) -> Section:
    """Return the trained models, mixtures and runs."""
    largest = str(found.proxies.sort_values("num_params")["size"].iloc[-1])
    return Section(
        "runs",
        "The runs",
        "Small models (proxies) trained on every mixture; the laws are fitted to their losses.",
        figures=found.figures("runs"),
        tables=[
            report_tables.size_table(found.runs),
            report_tables.mixture_table(found.results.mixtures, found.domains),
            report_text.bits_table(found.results.losses, largest),
            report_tables.run_table(found.runs, found.final_losses()),
        ],
    )


def laws_section(found: PageData) -> Section:
    """Return the figures of the laws and of the optimum."""
    return Section(
        "laws",
        "The laws and the optimum",
        "From small to large: losses follow a law over tokens, over parameters, and over the "
        "mixture. Dashed always means extrapolated. Points kept out of a fit always look different "
        "from fitted ones. A domain has the same colour in every figure.",
        findings=list(schedule_findings(found.proxies)),
        figures=found.figures("laws"),
    )


def schedule_findings(proxies: pd.DataFrame) -> Iterator[Finding]:
    """Yield the learning-rate schedule of the proxies, if it is known."""
    if not {"schedule", "num_steps"} <= set(proxies):
        return
    settings = schedule_of(proxies)
    num_steps = int(proxies["num_steps"].max())
    schedule = make_schedule(settings, num_steps)
    text = f"The step law was fitted to losses of one schedule: {schedule.words()}."
    if settings["schedule"] == "constant":
        yield Finding("plain", text)
        return
    end = settings["schedule_horizon"] or num_steps
    yield Finding(
        "caution",
        f"{text} The proxies stop at step {num_steps:,} of {int(end):,}. Losses before its end are "
        "those of a rate that has not fallen yet: a step law carries them on as if it never did, "
        "and the joint laws alone have a term for the fall.",
    )


def cost_section(found: PageData) -> Section | None:
    """Return the cost per stage, if its figure was drawn."""
    costs = found.results.figures.table("cost")
    if costs is None:
        return None
    return Section(
        "cost",
        "What it cost",
        "Time and training FLOPs of each stage.",
        figures=found.figures("cost"),
        tables=[report_tables.cost_table(costs)],
    )


def warnings_section(found: PageData) -> Section:
    """Return all warnings."""
    warnings = [
        findings.extrapolation_warning(
            found.optimum, found.proxies["num_params"].max(), found.results.losses["tokens"].max()
        ),
        *findings.optimum_warnings(found.optimum),
    ]
    laws = {"Step law": found.results.step_law, "Size law": found.results.size_law}
    for name, law in laws.items():
        if law is not None:
            warnings += findings.fit_warnings(name, law)
    warnings += findings.version_warnings(found.runs)
    lead = "What limits the trust in these numbers."
    return Section("warnings", "Warnings", lead, warnings)


def provenance_section(found: PageData) -> Section:
    """Return versions and config."""
    record = {"mixlaws": __version__} | versions(*ANALYSIS_PACKAGES)
    record |= {f"training: {name}": value for name, value in _training_versions(found.results)}
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


def _training_versions(results: Results) -> list[tuple[str, str]]:
    """Return the versions of packages that the runs were trained with, all if they differ."""
    found: dict[str, set[str]] = {}
    for record in results.run_records():
        for name, version in record.get("versions", {}).items():
            found.setdefault(name, set()).add(version)
    return [(name, ", ".join(sorted(found[name]))) for name in sorted(found)]


def recipes_section(found: PageData) -> Section | None:
    """Return the files that trainers read, if there are any."""
    files = found.results.recipes()
    if not files:
        return None
    return Section(
        "recipes",
        "Recipes",
        "The recommended mixture in the formats that trainers read.",
        files=files,
    )


SECTIONS = (
    confirmation_section,
    quality_section,
    imported_section,
    text_section,
    runs_section,
    laws_section,
    cost_section,
    warnings_section,
    provenance_section,
    recipes_section,
)
