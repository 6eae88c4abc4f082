"""The corpus: the token files of an experiment, opened and verified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from mixlaws.text.tokens import natural_shares, open_tokens, read_manifest, verify_tokens


@dataclass(frozen=True)
class TokenFile:
    """A memory-mapped token file, with the fields of its manifest that a run needs."""

    tokens: np.ndarray
    sha256: str
    bytes_per_token: float
    fingerprint: dict[str, str] = field(default_factory=dict)
    """The origin of the tokens: Manifest.fingerprint."""


@dataclass(frozen=True)
class Corpus:
    """The token files of a run: training and validation, by domain."""

    train: dict[str, TokenFile]
    validation: dict[str, TokenFile]
    vocabulary_size: int

    def _files(self) -> dict[str, TokenFile]:
        files = {f"{name}/train": file for name, file in self.train.items()}
        return files | {f"{name}/validation": file for name, file in self.validation.items()}

    def digests(self) -> dict[str, str]:
        """Return sha256 by "domain/split"."""
        return {name: file.sha256 for name, file in self._files().items()}

    def fingerprints(self) -> dict[str, dict[str, str]]:
        """Return the origin of the tokens, by "domain/split"."""
        return {name: file.fingerprint for name, file in self._files().items()}


def read_corpus(train: Sequence[str | Path], validation: Sequence[str | Path]) -> Corpus:
    """Open the token files that these manifests describe, each beside its manifest.

    Every file is read once and compared with its checksum, as a damaged token would change losses
    in silence. Raises DataError when a token file differs from its manifest.
    """
    manifests = [read_manifest(path) for path in (*train, *validation)]
    for path, manifest in zip((*train, *validation), manifests, strict=True):
        verify_tokens(Path(path).with_suffix(".bin"), manifest)
    files = {
        (manifest.split, manifest.domain): TokenFile(
            open_tokens(Path(path).with_suffix(".bin"), manifest),
            manifest.sha256,
            manifest.num_bytes / max(1, manifest.num_tokens),
            manifest.fingerprint(),
        )
        for path, manifest in zip((*train, *validation), manifests, strict=True)
    }
    return Corpus(
        train={m.domain: files["train", m.domain] for m in manifests if m.split == "train"},
        validation={
            m.domain: files["validation", m.domain] for m in manifests if m.split == "validation"
        },
        vocabulary_size=manifests[0].vocabulary_size,
    )


def resolve_proportions(
    proportions: Mapping[str, float] | Literal["natural"],
    manifests: Sequence[str | Path],
) -> dict[str, float]:
    """Return proportions as given; for `natural`, the text's own shares."""
    if not isinstance(proportions, str):
        return dict(proportions)
    return natural_shares([read_manifest(path) for path in manifests])
