"""The source `tokens`: token files of an earlier experiment, checked, renamed and copied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from mixlaws.errors import DataError, located
from mixlaws.files import file_sha256
from mixlaws.text.sources.paths import plain_path
from mixlaws.text.sources.source import Source, key
from mixlaws.text.tokens import Allowed, Manifest, check_fidelity, place_tokens, read_manifest

_ALLOWED = Allowed()


@dataclass(frozen=True, kw_only=True)
class TokenFilesSource(Source):
    """The token files of one domain of an earlier experiment."""

    name: ClassVar[str] = "tokens"
    holds_text: ClassVar[bool] = False

    folder: str = key(
        "Folder of a domain's token files in an earlier experiment, results/NAME/tokens/DOMAIN. "
        "Set tokenizer.file to its tokenizer.json, and tokenizer.end_of_document as it was there.",
        type="string",
    )

    def files(self, split: str) -> tuple[Path, Path]:
        """Return the token file and the manifest of one split; DataError if one is missing."""
        folder = Path(plain_path(self.folder, "folder"))
        files = (folder / f"{split}.bin", folder / f"{split}.json")
        missing = [str(path) for path in files if not path.is_file()]
        if missing:
            raise DataError(
                f"no token files of the {split} split: {' and '.join(missing)} not found. Set "
                "folder to results/NAME/tokens/DOMAIN of an earlier experiment; relative paths "
                f"start at {Path.cwd()}"
            )
        return files

    def manifest(self, split: str) -> Manifest:
        """Return the manifest of one split; DataError if it is missing or damaged."""
        return read_manifest(self.files(split)[1])


def given_files(domain: str, options: Mapping[str, Any], split: str) -> tuple[Path, Path]:
    """Return the token file and the manifest of one split of a domain given as token files.

    Raises DataError, naming the domain, when one of them is missing.
    """
    with located(f"domain {domain!r}"):
        return TokenFilesSource(folder=options["folder"]).files(split)


def adopt_tokens(
    given: tuple[str | Path, str | Path],
    *,
    domain: str,
    split: str,
    tokenizer: str | Path,
    output: tuple[str | Path, str | Path],
    allowed: Allowed = _ALLOWED,
) -> None:
    """Verify a (token file, manifest) pair of an earlier experiment; copy it as a domain of this.

    `output` is the pair to write. Counts and fingerprint stay those of the experiment that read the
    text. Raises DataError, naming the domain, when the file differs from its manifest, is of
    another split, was made with another tokenizer than `tokenizer`, the tokenizer.json of this
    experiment, or when that lost more of the text than is `allowed`.
    """
    with located(f"domain {domain!r}, given as token files of an earlier experiment"):
        found = read_manifest(given[1])
        _check_origin(found, given, split=split, tokenizer=tokenizer)
        check_fidelity(found, allowed)
        place_tokens(
            given[0],
            replace(found, domain=domain),
            tokens=output[0],
            manifest=output[1],
            is_temporary=False,
        )


def _check_origin(
    found: Manifest,
    given: tuple[str | Path, str | Path],
    *,
    split: str,
    tokenizer: str | Path,
) -> None:
    if found.split != split:
        raise DataError(
            f"{given[1]} describes {found.domain}/{found.split} and is used as a {split} split. "
            "Set folder to a folder that an experiment wrote, results/NAME/tokens/DOMAIN"
        )
    digest = file_sha256(tokenizer)
    if found.tokenizer_sha256 != digest:
        raise DataError(
            f"{given[0]} was made with another tokenizer (sha256 {found.tokenizer_sha256[:12]}) "
            f"than this experiment's ({digest[:12]}). Set tokenizer.file to the tokenizer.json "
            "beside the folders of its domains, and tokenizer.end_of_document as it was there"
        )
