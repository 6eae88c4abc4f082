"""Tokens per document of each domain: as counted in accounting.csv, or as the config states."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from pathlib import Path

from mixlaws.errors import ConfigError


def document_tokens(
    stated: Mapping[str, float], accounting: str | Path | None, domains: Collection[str]
) -> dict[str, float]:
    """Return the mean tokens per document of the domains where known; stated ones come first.

    Imported runs have no accounting (None). Raises ConfigError if an unknown domain is stated.
    """
    if unknown := sorted(set(stated) - set(domains)):
        raise ConfigError(
            f"recipes.tokens_per_document names {', '.join(unknown)}, which are no domains of the "
            f"mixture. The domains are {', '.join(domains)}"
        )
    return _counted(accounting) | dict(stated) if accounting else dict(stated)


def _counted(accounting: str | Path) -> dict[str, float]:
    with Path(accounting).open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    found = {row["domain"]: float(row["tokens_per_document"] or 0) for row in rows}
    return {domain: tokens for domain, tokens in found.items() if tokens > 0}
