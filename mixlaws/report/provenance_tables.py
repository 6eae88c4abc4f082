"""Provenance on the page: the audit of the runs' tokens, and what made the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mixlaws import __version__
from mixlaws.files import file_sha256
from mixlaws.presentation import format_share
from mixlaws.provenance import command, commit, versions
from mixlaws.report.blocks import Finding, PageTable
from mixlaws.results import Results

ANALYSIS_PACKAGES = ("numpy", "scipy", "pandas", "seaborn", "matplotlib", "jinja2")
DIGESTED = ("mixtures.csv", "runs.csv", "losses.parquet", "laws/law.json", "optimum.json")
"""Files of the results whose sha256 the page shows."""


def audit_table(records: Sequence[Mapping[str, Any]]) -> PageTable | None:
    """Return what each run was to read and what it read, by its record; None without records."""
    if not records:
        return None
    rows = [
        [
            str(record["size"]),
            str(record["mixture"]),
            str(record["seed"]),
            f"{sum(record['intended_tokens'].values()):,.0f}",
            f"{sum(record['realised_tokens'].values()):,.0f}",
            format_share(share_error(record)),
            f"{max(record['epochs'].values()):.2f}",
        ]
        for record in records
    ]
    header = ["size", "mixture", "seed", "tokens intended", "tokens read"]
    header += ["largest error of a share", "most epochs of a domain"]
    caption = "Audit: the tokens that each run read, beside what its mixture intends."
    return PageTable(caption, header, rows, num_text_columns=3, folded=len(rows) > 12)


def share_error(record: Mapping[str, Any]) -> float:
    """Return the largest difference between an intended and a realised share of a run."""
    total = sum(record["realised_tokens"].values())
    return max(
        abs(record["realised_tokens"].get(domain, 0) / total - share)
        for domain, share in record["proportions"].items()
    )


def audit_findings(records: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Say how closely the runs kept to their mixtures."""
    if not records:
        return []
    error = max(map(share_error, records))
    return [
        Finding(
            "good" if error < 0.01 else "caution",
            f"No share of any of the {len(records)} runs differs from its mixture by more than "
            f"{100 * error:.2g} percentage points.",
        )
    ]


def origin(results: Results) -> dict[str, str]:
    """Return versions, commit, command and digests of the results, as far as they are known."""
    record = {"mixlaws": __version__, "commit": commit(), "command": command()}
    record |= versions(*ANALYSIS_PACKAGES)
    record |= {f"training: {name}": value for name, value in _training_versions(results)}
    record |= {
        f"sha256 of {name}": file_sha256(results.folder / name)
        for name in DIGESTED
        if (results.folder / name).exists()
    }
    return {name: value for name, value in record.items() if value}


def _training_versions(results: Results) -> list[tuple[str, str]]:
    """Return the versions of packages that the runs were trained with, all if they differ."""
    found: dict[str, set[str]] = {}
    for record in results.run_records():
        for name, version in record.get("versions", {}).items():
            found.setdefault(name, set()).add(version)
    return [(name, ", ".join(sorted(found[name]))) for name in sorted(found)]
