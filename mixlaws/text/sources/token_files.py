"""Domains that are token files of an earlier experiment: checked, renamed, put in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from os.path import expandvars
from pathlib import Path
from typing import Any

from mixlaws.errors import DataError
from mixlaws.files import file_sha256
from mixlaws.text.tokens import Manifest, publish_tokens, read_manifest


def is_given(source: Mapping[str, Any]) -> bool:
    """Return whether a domain of the config is given as token files."""
    return bool(source["source"] == "tokens")


def given_files(domain: str, source: Mapping[str, Any], split: str) -> tuple[Path, Path]:
    """Return the token file and the manifest of one split of a domain given as token files.

    Raises DataError, naming the domain, when one of them is not there.
    """
    folder = Path(expandvars(source["folder"]))
    files = (folder / f"{split}.bin", folder / f"{split}.json")
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise DataError(
            f"domain {domain!r}: folder must be one domain's token files of an earlier experiment "
            f"(results/NAME/tokens/DOMAIN, with {files[0].name} and {files[1].name}), but "
            f"{', '.join(missing)} is missing: check the spelling; relative paths start at "
            f"{Path.cwd()}"
        )
    return files


def given_manifest(domain: str, source: Mapping[str, Any], split: str) -> Manifest:
    """Return the manifest of one split of a domain given as token files.

    Raises DataError, naming the domain, when it is missing or no manifest.
    """
    return read_manifest(given_files(domain, source, split)[1])


def adopt_tokens(
    given: tuple[str | Path, str | Path],
    *,
    domain: str,
    split: str,
    tokenizer: str | Path,
    tokens: str | Path,
    manifest: str | Path,
) -> None:
    """Verify a (token file, manifest) pair of an earlier experiment; publish it under a new name.

    Counts and fingerprint stay those of the experiment that read the text. Raises DataError,
    naming the domain, when the file is not what its manifest says, is of another split, or was made
    with another tokenizer than `tokenizer`, the tokenizer.json of this experiment.
    """
    with _explained(domain):
        found = read_manifest(given[1])
    if found.split != split:
        raise DataError(
            f"domain {domain!r}: {given[1]} must describe a {split} split, but describes "
            f"{found.domain}/{found.split}: name the folder that its experiment wrote"
        )
    digest = file_sha256(tokenizer)
    if found.tokenizer_sha256 != digest:
        raise DataError(
            f"domain {domain!r}: token files must be made with the tokenizer of this experiment "
            f"(sha256 {digest[:12]}), but {given[0]} was made with {found.tokenizer_sha256[:12]}: "
            "set tokenizer.file to the tokenizer.json beside the folders of its domains, and "
            "tokenizer.end_of_document to what it was there"
        )
    with _explained(domain):
        publish_tokens(
            given[0],
            replace(found, domain=domain),
            tokens=tokens,
            manifest=manifest,
            is_temporary=False,
        )


@contextmanager
def _explained(domain: str) -> Iterator[None]:
    """Name the domain in what goes wrong, and whose the files are."""
    try:
        yield
    except DataError as error:
        raise DataError(
            f"domain {domain!r}, given as token files: {error} in the experiment that wrote them"
        ) from error
