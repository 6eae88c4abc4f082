"""Batches drawn from the domains by proportions: a pure function of (seed, step).

Nothing of the sampler has to be saved: the position is the optimizer step. All mixtures of one
seed see the same random numbers, so that differences between mixtures carry less noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch.utils.data import IterableDataset

from mixlaws.errors import DataError
from mixlaws.mixtures import round_to_lattice
from mixlaws.tokens import natural_shares, open_tokens, read_manifest

# Streams of the counter-based generator: the second half of its 128-bit key.
_DOMAIN_STREAM = 0
_WINDOW_STREAM = 1


def _generator(seed: int, stream: int, *position: int) -> np.random.Generator:
    """Return the generator of one named stream, independent of every other."""
    key = np.random.SeedSequence([seed, stream, *position]).generate_state(2, np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


@dataclass(frozen=True)
class TokenFile:
    """One memory-mapped token file with what a run needs of its manifest."""

    tokens: np.ndarray
    sha256: str
    bytes_per_token: float


@dataclass(frozen=True)
class Corpus:
    """The token files of a run: training and validation, by domain."""

    train: dict[str, TokenFile]
    validation: dict[str, TokenFile]
    vocabulary_size: int

    def digests(self) -> dict[str, str]:
        """Return sha256 by "domain/split"."""
        pairs = [(f"{name}/train", file) for name, file in self.train.items()]
        pairs += [(f"{name}/validation", file) for name, file in self.validation.items()]
        return {name: file.sha256 for name, file in pairs}


def read_corpus(train: Sequence[str | Path], validation: Sequence[str | Path]) -> Corpus:
    """Open the token files that these manifests describe, each beside its manifest.

    Raises DataError when a token file is not what its manifest says.
    """
    manifests = [read_manifest(path) for path in (*train, *validation)]
    files = {
        (manifest.split, manifest.domain): TokenFile(
            open_tokens(Path(path).with_suffix(".bin"), manifest),
            manifest.sha256,
            manifest.num_bytes / max(1, manifest.num_tokens),
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
    lattice: int,
) -> dict[str, float]:
    """Return proportions as given, or the text's own shares rounded to the lattice."""
    if not isinstance(proportions, str):
        return dict(proportions)
    shares = natural_shares([read_manifest(path) for path in manifests])
    limits = dict.fromkeys(shares, (0.0, 1.0))
    counts = round_to_lattice(list(shares.values()), lattice, limits)
    return dict(zip(shares, (counts / lattice).tolist(), strict=True))


def num_windows(num_tokens: int, sequence_length: int) -> int:
    """Return how many windows of `sequence_length` predictions fit; neighbours share one token."""
    return max(0, (num_tokens - 1) // sequence_length)


class BatchPlan:
    """Which window of which domain stands at each place of each batch.

    The k-th draw of a domain is the k-th window of its shuffled order, reshuffled every epoch.
    """

    def __init__(
        self,
        proportions: Mapping[str, float],
        domain_windows: Mapping[str, int],
        *,
        batch_size: int,
        num_steps: int,
        seed: int,
    ) -> None:
        self.domains = tuple(proportions)
        self.batch_size = batch_size
        self.seed = seed
        self._num_windows = np.array([domain_windows[domain] for domain in self.domains])
        self._orders: dict[tuple[int, int], np.ndarray] = {}
        uniforms = _generator(seed, _DOMAIN_STREAM).random(num_steps * batch_size)
        edges = np.cumsum([proportions[domain] for domain in self.domains])
        self._domain = np.searchsorted(edges[:-1], uniforms, side="right").astype(np.uint16)
        self._rank = np.empty(len(uniforms), dtype=np.uint32)
        for index in range(len(self.domains)):
            chosen = self._domain == index
            self._rank[chosen] = np.arange(chosen.sum())
            if chosen.any() and self._num_windows[index] == 0:
                raise DataError(
                    f"domain {self.domains[index]!r} must hold at least one window of training "
                    "tokens, but is shorter: give it more text or lower training.sequence_length"
                )

    def _order(self, domain: int, epoch: int) -> np.ndarray:
        """Return the shuffled windows of one epoch of a domain."""
        if (domain, epoch) not in self._orders:
            generator = _generator(self.seed, _WINDOW_STREAM, domain, epoch)
            self._orders[domain, epoch] = generator.permutation(int(self._num_windows[domain]))
        return self._orders[domain, epoch]

    def batch(self, step: int) -> list[tuple[str, int]]:
        """Return (domain, window) for each sequence of the batch at `step`, counted from 0."""
        places = range(step * self.batch_size, (step + 1) * self.batch_size)
        return [self._draw(place) for place in places]

    def _draw(self, place: int) -> tuple[str, int]:
        domain = int(self._domain[place])
        epoch, position = divmod(int(self._rank[place]), int(self._num_windows[domain]))
        return self.domains[domain], int(self._order(domain, epoch)[position])

    def num_draws(self) -> dict[str, int]:
        """Return how many sequences each domain gives over the whole run."""
        counts = np.bincount(self._domain, minlength=len(self.domains))
        return dict(zip(self.domains, map(int, counts), strict=True))

    def epochs(self) -> dict[str, float]:
        """Return how often each domain's windows are seen over the whole run."""
        draws = self.num_draws().values()
        pairs = zip(self.domains, draws, self._num_windows, strict=True)
        return {domain: float(drawn / max(1, windows)) for domain, drawn, windows in pairs}


def read_windows(tokens: np.ndarray, windows: np.ndarray, sequence_length: int) -> torch.Tensor:
    """Return (num windows, sequence_length + 1) token ids: inputs and, shifted by one, targets."""
    starts = np.asarray(windows)[:, None] * sequence_length
    rows = tokens[starts + np.arange(sequence_length + 1)]
    return torch.from_numpy(rows.astype(np.int64))


@dataclass
class BatchStream(IterableDataset):
    """The batches from the current step on: resuming needs nothing but the step."""

    plan: BatchPlan
    tokens: Mapping[str, np.ndarray]
    sequence_length: int
    num_steps: int
    first_step: Callable[[], int]
    """Called when iteration starts: the number of steps already taken."""

    def __iter__(self) -> Iterator[torch.Tensor]:
        for step in range(self.first_step(), self.num_steps):
            yield self._batch(step)

    def _batch(self, step: int) -> torch.Tensor:
        rows = [
            read_windows(self.tokens[domain], np.array([window]), self.sequence_length)
            for domain, window in self.plan.batch(step)
        ]
        return torch.cat(rows)


def validation_windows(
    tokens: np.ndarray, *, sequence_length: int, count: int, domain: str
) -> torch.Tensor:
    """Return `count` windows spread evenly over the tokens, the same for every run.

    Raises DataError when the validation split is shorter than that.
    """
    available = num_windows(len(tokens), sequence_length)
    if available < count:
        raise DataError(
            f"validation domain {domain!r} must hold {count} windows of {sequence_length} tokens, "
            f"but its {len(tokens):,} tokens hold {available}: give it more text, or lower "
            "validation.num_windows"
        )
    chosen = np.linspace(0, available - 1, count).round().astype(np.int64)
    return read_windows(tokens, chosen, sequence_length)
