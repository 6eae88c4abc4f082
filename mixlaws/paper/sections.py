"""The sections of the reproduction's page."""

from __future__ import annotations

from functools import partial

import pandas as pd

from mixlaws import __version__
from mixlaws.laws.nested import PAPER_SETTINGS
from mixlaws.paper.extrapolation import BOOSTED, EXPONENTIAL
from mixlaws.paper.results import PaperResults
from mixlaws.paper.verdicts import AGREES, DISAGREES, NOT_REPRODUCIBLE, count_verdicts
from mixlaws.presentation import format_loss, format_share, format_signed, table_rows
from mixlaws.provenance import versions
from mixlaws.report import tables as report_tables
from mixlaws.report.blocks import Finding, PageTable, Section, section_figures
from mixlaws.report.budget import make_budget_section
from mixlaws.report.provenance_tables import ANALYSIS_PACKAGES

TONES = {AGREES: "good", DISAGREES: "caution", NOT_REPRODUCIBLE: "plain"}
SHOWN = ["item", "quantity", "verdict", "source", "note", "paper", "ours", "tolerance"]
NUM_TEXT = 5


def verdict_section(found: PaperResults) -> Section:
    """Return the section with every claim and its verdict."""
    table = found.verdicts[SHOWN].astype(str)
    counts = count_verdicts(table)
    findings = [Finding(TONES[name], f"{name}: {count}") for name, count in counts.items()]
    differing = table[table["verdict"] != AGREES]
    return Section(
        "verdicts",
        "Verdicts",
        "Sources: paper (version 2), notebook and code (what the authors' saved output and code "
        "print), logs (read from the losses). The same table is paper_verdicts.csv.",
        findings,
        tables=[
            PageTable(
                "Numbers that differ or cannot be tried.",
                SHOWN,
                differing.values.tolist(),
                NUM_TEXT,
            ),
            PageTable("All numbers.", SHOWN, table.values.tolist(), NUM_TEXT, folded=True),
        ],
    )


def mixing_section(found: PaperResults) -> Section:
    """Return the section on the mixing law at one size and number of steps."""
    laws = found.table("2mix", "two_domain_laws")
    rows = [
        [
            *[row.size, f"{row.step:,}", row.validation_domain, row.procedure, f"{row.c:.4f}"],
            *[f"{row.t:.3f}", f"{row.ln_k:.3f}", f"{row.correlation:.5f}"],
            f"{row.left_out_mae:.4f}",
        ]
        for row in table_rows(laws)
    ]
    header = ["size", "step", "domain", "procedure", "c", "t", "ln k", "|r|", "left-out error"]
    table = PageTable("Two-domain laws; error with each mixture left out in turn, nats.", header,
                      rows, 4, folded=True)  # fmt: skip
    return Section(
        "mixing",
        "The mixing law",
        "At one size and one number of steps: how the loss depends on the proportions.",
        figures=section_figures(found.figures, "mixing"),
        tables=[table],
    )


def extrapolation_section(found: PaperResults) -> Section:
    """Return the section on algorithm 1 and the joint laws at the target."""
    folds = found.table("redpajama", "forward_folds").assign(study="redpajama")
    folds = pd.concat([folds, found.table("5mix", "forward_folds").assign(study="5mix")])
    rows = [
        [row.study, row.fold, row.law, f"{row.mae:.4f}", format_signed(row.bias)]
        for row in table_rows(folds)
    ]
    header = ["study", "fold", "law", "mean error", "bias"]
    caption = "Forward folds among the proxies: the largest size, and the later half of the steps."
    return Section(
        "extrapolation",
        "From 410M and 30k steps to 1B and 100k",
        "The paper's pipeline (step law, size law, mixing law, search) and this package's joint "
        "laws, on the same losses.",
        [_sharing_finding(found)],
        section_figures(found.figures, "extrapolation"),
        [PageTable(caption, header, rows, 3)],
    )  # fmt: skip


def _sharing_finding(found: PaperResults) -> Finding:
    """Return the effect of limiting the size exponent, with exponents shared as in algorithm 1."""
    table = found.table("redpajama", "sharing_sensitivity")
    sharing = PAPER_SETTINGS.step_sharing, PAPER_SETTINGS.size_sharing
    rows = table[
        (table["validation"] == "groups")
        & (table["step_sharing"] == sharing[0])
        & (table["size_sharing"] == sharing[1])
    ].set_index("size_exponents")
    low, high = PAPER_SETTINGS.size_priors.bounds
    kept, free = (
        {name: float(rows[name].to_dict()[kind]) for name in ("optimised", "size_exponent")}
        for kind in ("authors' starts", "free")
    )
    return Finding(
        "caution",
        "Four sizes do not identify a size exponent: left free it falls to "
        f"{free['size_exponent']:.2f}, and the prediction for the optimised mixture from "
        f"{format_loss(kept['optimised'])} to {format_loss(free['optimised'])}. The authors' "
        f"starts lie between {low:g} and {high:g}; keeping to that range comes nearest to their "
        "numbers, and is what 'algorithm 1' means on this page.",
    )


def choice_section(found: PaperResults) -> Section:
    """Return the section on the mixture that each procedure would choose."""
    grid = found.table("redpajama", "candidates")
    findings = []
    for law in (BOOSTED, EXPONENTIAL):
        place = found.place_of_optimised(grid, law)
        words = f"The {law} law puts the paper's optimised mixture in place {place} of {len(grid)}."
        findings.append(Finding("plain", words))
    best = found.optimum["baselines"]["default"]["gain"]
    findings.append(
        Finding(
            "good" if best["lower"] > 0 else "caution",
            "The joint laws' optimum is predicted to gain "
            f"{format_signed(best['value'])} nats over the default "
            f"({format_signed(best['lower'])} to {format_signed(best['upper'])}); it was not "
            "trained at 1B.",
        )
    )
    rows = [
        [
            domain,
            format_share(found.optimum["proportions"][domain]),
            " to ".join(map(format_share, found.optimum["intervals"][domain])),
            " to ".join(map(format_share, found.optimum["near_optimal"]["ranges"][domain])),
        ]
        for domain in found.settings["extrapolation"]["limits"]
    ]
    header = ["domain", "share", "interval", "range of near-optimal mixtures"]
    return Section(
        "choice",
        "Which mixture to choose",
        "On the paper's 854 candidates and, exactly, on all mixtures within its token limits.",
        findings,
        section_figures(found.figures, "choice"),
        [PageTable("The joint laws' optimum.", header, rows, 1), stability_table(found)],
    )


def stability_table(found: PaperResults) -> PageTable:
    """Return the cost at 410M of choosing the best mixture of a smaller size or fewer steps."""
    table = found.table("redpajama", "rank_stability")
    rows = [
        [
            *[row.size, f"{row.step:,}", f"{row.spearman:.3f}", row.best],
            "not run there" if pd.isna(row.regret) else format_loss(row.regret),
        ]
        for row in table_rows(table)
    ]
    header = ["size", "step", "rank correlation", "best mixture", "regret at 410M, 30k"]
    caption = "The baseline: take the mixture with the lowest loss at a small size."
    return PageTable(caption, header, rows, 2)


def continual_section(found: PaperResults) -> Section:
    """Return the section on the critical proportion by procedure and step."""
    errors = found.record("continual", "errors")["held_out_errors"]
    rows = []
    for row in table_rows(found.critical):
        bounded = pd.notna(row.lower)
        interval = f"{row.lower:.3f} to {row.upper:.3f}" if bounded else ""
        rows.append([f"{row.step:,}", row.procedure, f"{row.value:.4f}", interval])
    return Section(
        "continual",
        "Continual pre-training",
        "Which share of the original data keeps its loss while a new domain is learned?",
        [
            Finding(
                "good",
                "The run at the paper's critical share, left out of the fit, is predicted within "
                f"{abs(errors['original']):.4f} nats on the original domain and "
                f"{abs(errors['new']):.4f} on the new one.",
            ),
            Finding(
                "caution",
                "The critical share depends on the number of steps: state it with them. Five runs, "
                "one seed.",
            ),
        ],
        section_figures(found.figures, "continual"),
        [PageTable("Critical share of the original domain.", ["step", "procedure", "share",
                   "90 % interval over forms and noise"], rows, 2)],
    )  # fmt: skip


def data_section(found: PaperResults) -> Section:
    """Return the section on corrections, dropped checkpoints, versions and the config."""
    studies = found.config["published"]["studies"]
    rows = []
    for name, study in studies.items():
        for each in study["corrections"]:
            state = "applied" if each["enabled"] else "off"
            rows.append([name, each["name"], state, each["why"]])
    dropped = pd.concat(
        [
            found.table(name, "dropped").assign(study=name)
            for name in found.config["published"]["studies"]
        ]
    )
    counts = dropped.groupby(["study", "size", "reason"], sort=False).size()
    left_out = [
        [row.study, row.size, row.reason, str(row.number)]
        for row in table_rows(counts.rename("number").reset_index())
    ]
    record = {"mixlaws": __version__} | versions(*ANALYSIS_PACKAGES)
    config = {name: value for name, value in found.config.items() if name != "published"}
    config |= {name: found.config["published"][name] for name in ("url", "files")}
    return Section(
        "data",
        "The published losses",
        "Logs have defects; each correction is a line of the experiment's config. The authors' "
        "logs have no licence: they are downloaded, checked by sum, and not part of this project.",
        tables=[
            PageTable("Corrections.", ["study", "what", "state", "why"], rows, 4),
            PageTable(
                "Checkpoints left out.", ["study", "size", "reason", "checkpoints"], left_out, 3
            ),
            report_tables.settings_table("Versions.", record),
            report_tables.settings_table("Config.", config),
        ],
    )


def budget_section(found: PaperResults) -> Section | None:
    """Return which size and tokens are best for the config's FLOPs, if it states any."""
    figures = partial(section_figures, found.figures)
    return make_budget_section(found.budget, figures, runs="all RedPajama runs")


SECTIONS = (
    verdict_section,
    extrapolation_section,
    choice_section,
    budget_section,
    mixing_section,
    continual_section,
    data_section,
)
