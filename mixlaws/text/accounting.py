"""Accounting: every document and token, and how much validation text training text repeats."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mixlaws.footers import check_footer
from mixlaws.tables import write_table
from mixlaws.text.parquet import undamaged
from mixlaws.text.tokens import Manifest, natural_shares, open_tokens, read_manifest

_CONTAMINATION_COLUMNS = [
    *("validation_domain", "training_domain", "num_validation_documents", "num_overlapping"),
    *("share", "num_removed_exact", "num_removed_near"),
]
_OVERLAP_COLUMNS = ["domain", "split", "kept_domain", "kept_split", "kept_id", "kind"]


@dataclass(frozen=True)
class Roles:
    """What the domains of an experiment are for."""

    training: Sequence[str]
    """Domains that are trained on; the others are only measured."""
    without_text: Collection[str] = ()
    """Domains given as token files: their documents were not compared."""


def account_tokens(
    files: Sequence[tuple[str | Path, str | Path]],
    duplicates: str | Path,
    roles: Roles,
    *,
    accounting: str | Path,
    contamination: str | Path,
) -> None:
    """Write the accounting of all (tokens, manifest) pairs, and the overlap between the splits.

    Columns: see accounting_table and contamination_table. Whether the counts serve what the config
    plans is checked after it, by `mixlaws.config.counted`.
    """
    table = accounting_table(files, training_domains=roles.training)
    write_table(table, accounting)
    manifests = [read_manifest(manifest) for _, manifest in files]
    validation = [each for each in manifests if each.split == "validation"]
    write_table(contamination_table(duplicates, validation, roles), contamination)


def accounting_table(
    files: Sequence[tuple[str | Path, str | Path]],
    *,
    training_domains: Collection[str],
) -> pd.DataFrame:
    """Return one row per (tokens, manifest) pair: what was read, dropped and kept.

    Only the sizes of the token files are checked here; publish_tokens has checked their contents.
    """
    manifests = [read_manifest(manifest) for _, manifest in files]
    for (tokens, _), manifest in zip(files, manifests, strict=True):
        open_tokens(tokens, manifest)
    return manifest_table(manifests, training_domains)


def manifest_table(
    manifests: Sequence[Manifest], training_domains: Collection[str]
) -> pd.DataFrame:
    """Return one row per manifest.

    Columns: domain, role, split, num_documents_read, num_documents_kept,
    num_dropped_exact, num_dropped_near, num_dropped_other, num_documents_cut, num_bytes,
    num_tokens, bytes_per_token, tokens_per_document, sha256, natural_share (of training splits, if
    all sources know their size); unknown_share of the tokens, altered_share of the checked
    documents, num_cleaned_* by step of `clean`, dropped_other (why, with counts), sample (what a
    cap left); the fingerprint's parts.
    """
    trained = [
        each for each in manifests if each.domain in training_domains and each.split == "train"
    ]
    is_known = all(each.text_bytes_before_cap is not None for each in trained)
    natural = natural_shares(trained) if is_known else {}
    shares = {(domain, "train"): share for domain, share in natural.items()}
    return pd.DataFrame(
        [
            {
                "domain": each.domain,
                "role": "training" if each.domain in training_domains else "validation-only",
                "split": each.split,
                "num_documents_read": each.num_documents_read,
                "num_documents_kept": each.num_documents,
                "num_dropped_exact": each.num_dropped_exact,
                "num_dropped_near": each.num_dropped_near,
                "num_dropped_other": each.num_dropped_other,
                "num_documents_cut": each.num_documents_cut,
                "num_bytes": each.num_bytes,
                "num_tokens": each.num_tokens,
                "bytes_per_token": each.bytes_per_token,
                "tokens_per_document": each.num_tokens / each.num_documents,
                "sha256": each.sha256,
                "natural_share": shares.get((each.domain, each.split)),
                "unknown_share": each.unknown_share,
                "altered_share": each.altered_share,
                **{f"num_cleaned_{step}": count for step, count in each.num_cleaned.items()},
                "dropped_other": "; ".join(f"{k}: {n}" for k, n in each.dropped_other.items()),
                "sample": each.sample,
                **{f"fingerprint_{k}": digest for k, digest in each.fingerprint().items()},
            }
            for each in manifests
        ]
    )


def contamination_table(
    duplicates: str | Path,
    validation: Sequence[Manifest],
    roles: Roles,
) -> pd.DataFrame:
    """Return the overlap of each validation domain with each training domain, before its removal.

    Domains without text are left out.

    Columns: validation_domain, training_domain, num_validation_documents; num_overlapping and
    share: validation documents that a training document repeats; num_removed_exact and
    num_removed_near: training documents removed because of it. A removed document counts for
    the validation document that it resembles most.
    """
    with undamaged(duplicates):
        check_footer(duplicates)
        table = pd.read_parquet(
            duplicates, columns=_OVERLAP_COLUMNS, page_checksum_verification=True
        )
    table = table[(table["split"] == "train") & (table["kept_split"] == "validation")]
    compared = [each for each in validation if each.domain not in roles.without_text]
    rows = []
    for manifest in compared:
        for domain in (each for each in roles.training if each not in roles.without_text):
            found = table[(table["kept_domain"] == manifest.domain) & (table["domain"] == domain)]
            num_overlapping = found["kept_id"].nunique()
            rows.append(
                {
                    "validation_domain": manifest.domain,
                    "training_domain": domain,
                    "num_validation_documents": manifest.num_documents,
                    "num_overlapping": num_overlapping,
                    "share": num_overlapping / manifest.num_documents,
                    "num_removed_exact": int((found["kind"] == "exact").sum()),
                    "num_removed_near": int((found["kind"] == "near").sum()),
                }
            )
    return pd.DataFrame(rows, columns=_CONTAMINATION_COLUMNS)
