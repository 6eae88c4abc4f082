"""The sections of the report page, each built from the results."""

from __future__ import annotations

from mixlaws.report import findings, law_report, provenance_tables, run_tables
from mixlaws.report import tables as report_tables
from mixlaws.report import text as report_text
from mixlaws.report.blocks import Finding, Section
from mixlaws.report.budget import make_budget_section
from mixlaws.report.data import PageData
from mixlaws.report.forward import forward_findings
from mixlaws.report.imported import imported_section
from mixlaws.report.warnings import certificate_finding, page_warnings


def confirmation_section(found: PageData) -> Section | None:
    """Return predicted against observed losses of the target, if it was trained."""
    record = found.confirmation
    if record is None:
        return None
    noise = "unknown: one seed" if record["noise"] is None else f"{record['noise']:.3f} nats"
    return Section(
        "confirmation",
        "Confirmation: predicted and observed loss of the target",
        "After the prediction, the target was trained on the optimum and on the mixtures that it "
        "is compared with, all with the same seeds. The noise is the standard deviation between "
        f"seeds of the difference between mixtures: {noise}.",
        [findings.verdict(found.optimum, record), *findings.confirmation_findings(record)],
        found.figures("confirmation"),
        [report_tables.confirmation_table(record)],
    )


def quality_section(found: PageData) -> Section | None:
    """Return the scores of laws and baselines on unseen losses, if laws were scored."""
    scores, choice = found.scores, found.results.choice
    if scores is None or choice is None:
        return None
    num_params = found.num_params_of(scores)
    folds = [fold for fold in findings.MIXTURE_FOLDS if fold in set(scores["fold"])]
    tables = [report_tables.score_table(scores, fold, num_params) for fold in folds]
    tables += [report_tables.domain_score_table(scores, fold) for fold in folds[:1]]
    forward = report_tables.forward_table(choice["folds"], choice["pipeline"])
    inner = report_tables.joint_fold_table(choice.get("joint_folds", []))
    compared = found.results.figures.table("predicted_vs_observed")
    level = choice["fold_coverage"]["level"]
    said = [
        *forward_findings(choice),
        *findings.law_findings(scores, choice["reasons"]["mixing"]),
        findings.rank_finding(scores, num_params),
        findings.coverage_finding(compared, level),
    ]
    return Section(
        "quality",
        "How good the laws are",
        "Laws are scored on mixtures, sizes and steps that they were not fitted to. They are "
        "compared with baselines: the mean of the other mixtures, a straight line in the shares "
        "(linear), and the last observed loss (best-observed) where the mixture was seen before. "
        "Regret is how much worse the chosen mixture was than the best one.",
        [each for each in said if each],
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
        "How much text was read, dropped and kept, per domain and split. Training documents that "
        "repeat validation text are removed.",
        overlap,
        found.figures("text"),
        tables,
    )


def runs_section(found: PageData) -> Section:
    """Return the trained models and mixtures."""
    largest = str(found.proxies.sort_values("num_params")["size"].iloc[-1])
    signal = found.results.figures.table("signal_to_noise")
    return Section(
        "runs",
        "The runs",
        "Small models (proxies) were trained on every mixture. The laws are fitted to their "
        "losses.",
        figures=found.figures("runs"),
        tables=[
            run_tables.size_table(found.runs),
            run_tables.mixture_table(found.results.mixtures, found.domains),
            report_text.bits_table(found.in_order(found.results.losses), largest),
            *(table for table in (run_tables.signal_table(signal),) if table),
        ],
    )


def deciding_section(found: PageData) -> Section | None:
    """Return the law that decides: parameters, fits and residuals."""
    record, choice = found.results.law, found.results.choice
    if record is None:
        return None
    pipeline = record["pipeline"]["name"]
    is_point = choice is not None and not choice["folds"]
    residuals = found.in_order(found.results.figures.table("residuals"))
    tests, line_law = found.in_order(found.results.slope_tests), found.results.line_law
    tests = None if tests is None else tests.sort_values("regressor", kind="stable")
    tables = law_report.parameter_tables(record)
    tables += [law_report.fit_table(residuals, record)] if residuals is not None else []
    lines = [law_report.slope_table(tests, line_law)]
    if found.optimum["support"]["states_loss"]:
        lines.append(law_report.line_table(line_law, found.measured))
    return Section(
        "deciding",
        "The law that decides",
        law_report.POINT_LEAD if is_point else law_report.LEADS[pipeline],
        list(law_report.slope_findings(tests)),
        found.figures("deciding"),
        [*tables, *(table for table in lines if table)],
    )


def nested_section(found: PageData) -> Section | None:
    """Return the figures of the step law and the size law, if the nested pipeline was fitted."""
    figures = found.figures("nested")
    if not figures:
        return None
    decides = found.optimum["pipeline"] == "nested"
    return Section(
        "nested",
        "Step law and size law",
        "The first two stages of the nested pipeline, which decides."
        if decides
        else "The nested pipeline was fitted for comparison. It does not decide here.",
        figures=figures,
    )


def laws_section(found: PageData) -> Section:
    """Return the figures of the optimum and of the loss over the mixtures, with the certificate."""
    return Section(
        "laws",
        "The optimum among the mixtures",
        "The predicted loss at the target as a function of the mixture. A domain has the same "
        "colour in every figure.",
        [certificate_finding(found.optimum["certificate"])],
        found.figures("laws"),
    )


def budget_section(found: PageData) -> Section | None:
    """Return which size and tokens a number of FLOPs is best spent on, if the config asks."""
    return make_budget_section(found.results.budget, found.figures, runs="the runs")


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
    """Return all warnings, the heaviest first."""
    lead = "What limits the trust in these numbers, the heaviest first."
    return Section("warnings", "Warnings", lead, page_warnings(found))


def provenance_section(found: PageData) -> Section:
    """Return the runs, the audit of their tokens, versions, digests and the config."""
    records = [*found.results.run_records(), *found.results.confirmation_records()]
    audit = provenance_tables.audit_table(records)
    tables = [
        run_tables.run_table(found.runs, found.final_measures(), found.run_states()),
        *([audit] if audit else []),
        report_tables.settings_table(
            "Versions, command and digests.", provenance_tables.origin(found.results)
        ),
        report_tables.settings_table("The config, with all defaults.", found.config),
    ]
    return Section(
        "provenance",
        "Provenance",
        "What made this page. The same config and versions give the same numbers.",
        provenance_tables.audit_findings(records),
        tables=tables,
    )


def recipes_section(found: PageData) -> Section | None:
    """Return the files that trainers read, if there are any."""
    files = found.results.recipes()
    if not files:
        return None
    return Section(
        "recipes",
        "Recipes",
        "The recommended mixture in the formats that trainers read, and every named mixture in a "
        "folder of its name.",
        files=files,
    )


SECTIONS = (
    confirmation_section,
    quality_section,
    imported_section,
    text_section,
    runs_section,
    deciding_section,
    nested_section,
    laws_section,
    budget_section,
    cost_section,
    warnings_section,
    provenance_section,
    recipes_section,
)
