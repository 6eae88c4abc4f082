"""The page's tables and findings about text: counts, duplicates and fingerprints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mixlaws.presentation import SPACE, format_bytes, format_loss, format_share
from mixlaws.report.blocks import Finding, PageTable
from mixlaws.report.tables import ABSENT

DOCUMENT_COUNTS = (
    "num_documents_read",
    "num_documents_kept",
    "num_dropped_exact",
    "num_dropped_near",
    "num_dropped_other",
    "num_documents_cut",
)


def accounting_table(accounting: pd.DataFrame) -> PageTable:
    """Return documents, bytes and tokens per domain and split."""
    rows = [
        [
            row["domain"],
            row["split"],
            *(f"{row[name]:,.0f}" for name in DOCUMENT_COUNTS),
            format_bytes(row["num_bytes"]),
            f"{row['num_tokens']:,}",
            f"{row['bytes_per_token']:.2f}",
            f"{row['tokens_per_document']:,.0f}",
            ABSENT if pd.isna(row["natural_share"]) else format_share(row["natural_share"]),
            format_share(row["unknown_share"]),
            format_share(row["altered_share"]),
            row["sample"],
            str(row["sha256"])[:12],
        ]
        for row in _records(accounting)
    ]
    header = ["domain", "split", "documents read", "kept", "exact duplicates", "near duplicates"]
    header += ["dropped otherwise", "beyond the cap", "text", "tokens", "bytes per token"]
    header += ["tokens per document", "natural share", "unknown tokens", "altered by the tokenizer"]
    header += ["read", "sha256"]
    return PageTable("From raw text to tokens.", header, rows, num_text_columns=2)


def trace_table(accounting: pd.DataFrame) -> PageTable:
    """Return the stages of each domain's text with exact counts, and their sums."""
    rows = [_trace_row(str(domain), part) for domain, part in _by_domain(accounting)]
    rows.append(_trace_row("all", accounting))
    header = [
        "domain",
        "documents read",
        "kept",
        "bytes of text",
        "tokens",
        "for training",
        "share",
    ]
    header += ["for validation", "share"]
    return PageTable("The way of the text, counted at each stage.", header, rows)


def _by_domain(accounting: pd.DataFrame) -> list[tuple[Any, pd.DataFrame]]:
    return list(accounting.groupby("domain", sort=False))


def _trace_row(name: str, part: pd.DataFrame) -> list[str]:
    tokens = part.groupby("split")["num_tokens"].sum()
    total = int(tokens.sum())
    cells = [name]
    for column in ("num_documents_read", "num_documents_kept", "num_bytes"):
        cells.append(f"{part[column].sum():,}")
    cells.append(f"{total:,}")
    for split in ("train", "validation"):
        count = int(tokens.get(split, 0))
        cells += [f"{count:,}", format_share(count / total)]
    return cells


def fingerprint_table(accounting: pd.DataFrame) -> PageTable:
    """Return the fingerprints of every token file."""
    names = [str(name) for name in accounting if str(name).startswith("fingerprint_")]
    rows = [
        [row["domain"], row["split"], *(str(row[name]) for name in names)]
        for row in _records(accounting)
    ]
    header = ["domain", "split", *(name.removeprefix("fingerprint_") for name in names)]
    caption = "Fingerprints: runs are compared only where all of these are equal."
    return PageTable(caption, header, rows, num_text_columns=len(header), folded=True)


def contamination_table(contamination: pd.DataFrame) -> PageTable:
    """Return the share of each validation domain that each training domain repeated."""
    training = list(dict.fromkeys(contamination["training_domain"]))
    rows = []
    for name, part in contamination.groupby("validation_domain", sort=False):
        found = {str(row["training_domain"]): row for row in _records(part)}
        cells = [_overlap(found[str(domain)]) for domain in training]
        rows.append([str(name), f"{part['num_validation_documents'].iloc[0]:,}", *cells])
    caption = (
        "Validation documents that a training document repeated, exactly or nearly, before those "
        "training documents were removed."
    )
    return PageTable(caption, ["validation domain", "documents", *training], rows)


def _overlap(row: dict[str, Any]) -> str:
    if not row["num_overlapping"]:
        return "0"
    return f"{row['num_overlapping']:,} ({format_share(row['share'])})"


def contamination_findings(contamination: pd.DataFrame, given: Sequence[str]) -> list[Finding]:
    """Say how much training text repeated validation text.

    `given` are the domains given as token files, whose documents are unknown.
    """
    exact, near = (int(contamination[f"num_removed_{kind}"].sum()) for kind in ("exact", "near"))
    if given:
        return [
            Finding(
                "caution",
                f"{', '.join(given)}: given as token files, whose documents were not compared "
                "here: training text of one domain may repeat validation text of another. Among "
                f"the domains that were read, {exact + near:,} training documents repeated "
                "validation documents and were removed.",
            )
        ]
    if exact + near == 0:
        return [Finding("good", "No training document repeated a validation document.")]
    return [
        Finding(
            "good",
            f"{exact + near:,} training documents repeated validation documents ({exact:,} "
            f"exactly, {near:,} nearly) and were removed from training: the losses are measured on "
            "text that no run has seen.",
        )
    ]


def bits_table(losses: pd.DataFrame, size: str) -> PageTable:
    """Return the validation losses at the end of the runs of one size, per token and per byte.

    Losses that others measured may come without bits per byte.
    """
    units = {"loss": "nats per token", "bits_per_byte": f"bits{SPACE}per{SPACE}byte"}
    measures = {column: unit for column, unit in units.items() if column in losses}
    part = losses[losses["size"] == size]
    last = part[part["step"] == part["step"].max()]
    rows = []
    for name, group in last.groupby("validation_domain", sort=False):
        cells = [str(name)]
        for column in measures:
            values = group[column]
            cells += [format_loss(value) for value in (values.min(), values.mean(), values.max())]
        rows.append(cells)
    header = ["validation domain"]
    for unit in measures.values():
        header += [f"{unit}, {kind}" for kind in ("lowest", "mean", "highest")]
    caption = f"Losses at the end of the proxies of size {size}, over the mixtures."
    if "bits_per_byte" in measures:
        caption += " Bits per byte can be compared between tokenizers."
    return PageTable(caption, header, rows)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
