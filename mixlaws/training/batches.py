"""Batches drawn from the domains by proportions: a pure function of (seed, step).

The sampler has no state to save: its position is the optimizer step. All mixtures of one seed use
the same random numbers, which makes the differences between mixtures less noisy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset

from mixlaws.errors import DataError
from mixlaws.runs.lengths import num_windows

# Streams of the counter-based generator: the second half of its 128-bit key.
_DOMAIN_STREAM = 0
_WINDOW_STREAM = 1
_SUBSET_STREAM = 2


def _generator(seed: int, stream: int, *position: int) -> np.random.Generator:
    """Return the generator of one named stream, independent of every other."""
    key = np.random.SeedSequence([seed, stream, *position]).generate_state(2, np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


class BatchPlan:
    """The window and domain at each place of each batch.

    The k-th draw of a domain is the k-th window of its shuffled order, reshuffled every epoch.
    `kept` limits a domain to that many of its windows, the same ones in every run.
    """

    def __init__(
        self,
        proportions: Mapping[str, float],
        domain_windows: Mapping[str, int],
        *,
        batch_size: int,
        num_steps: int,
        seed: int,
        kept: Mapping[str, int] | None = None,
    ) -> None:
        self.domains = tuple(proportions)
        self.batch_size = batch_size
        self.seed = seed
        self._all_windows = np.array([domain_windows[domain] for domain in self.domains])
        limits = [(kept or {}).get(domain, domain_windows[domain]) for domain in self.domains]
        self._num_windows = np.minimum(self._all_windows, limits)
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
                    f"domain {self.domains[index]!r} has fewer training tokens than one sequence. "
                    "Give it more text or lower training.sequence_length"
                )

    def _order(self, domain: int, epoch: int) -> np.ndarray:
        """Return the shuffled windows of one epoch of a domain."""
        if (domain, epoch) not in self._orders:
            generator = _generator(self.seed, _WINDOW_STREAM, domain, epoch)
            order = generator.permutation(int(self._num_windows[domain]))
            self._orders[domain, epoch] = self._subset(domain, order)
        return self._orders[domain, epoch]

    def _subset(self, domain: int, order: np.ndarray) -> np.ndarray:
        """Translate an order of the kept windows into windows of the whole domain."""
        if self._num_windows[domain] == self._all_windows[domain]:
            return order
        # A fixed seed, not the run's: all runs see the same part of the text.
        chosen = _generator(0, _SUBSET_STREAM, domain).permutation(int(self._all_windows[domain]))
        return chosen[order]

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
        """Return the epochs of each domain over the whole run, counted in its kept windows."""
        pairs = zip(self.domains, self.num_draws().values(), self._num_windows, strict=True)
        return {domain: float(drawn / max(1, windows)) for domain, drawn, windows in pairs}


def read_windows(tokens: np.ndarray, windows: np.ndarray, sequence_length: int) -> torch.Tensor:
    """Return (num windows, sequence_length + 1) token ids: inputs and, shifted by one, targets."""
    starts = np.asarray(windows)[:, None] * sequence_length
    rows = tokens[starts + np.arange(sequence_length + 1)]
    return torch.from_numpy(rows.astype(np.int64))


@dataclass(frozen=True)
class Slice:
    """The part of the batches that a process reads."""

    first_step: int
    """Steps already taken."""
    accumulate: int = 1
    """Micro-batches of a step."""
    rank: int = 0
    num_ranks: int = 1


@dataclass
class BatchStream(IterableDataset):
    """The micro-batches from the current step on: resuming needs nothing but the step."""

    plan: BatchPlan
    tokens: Mapping[str, np.ndarray]
    sequence_length: int
    num_steps: int
    position: Callable[[], Slice]
    """Called when iteration starts."""

    def __iter__(self) -> Iterator[torch.Tensor]:
        part = self.position()
        rows = self.plan.batch_size // (part.accumulate * part.num_ranks)
        for step in range(part.first_step, self.num_steps):
            batch = self.plan.batch(step)
            for micro in range(part.accumulate):
                start = (micro * part.num_ranks + part.rank) * rows
                yield self._read(batch[start : start + rows])

    def _read(self, places: Sequence[tuple[str, int]]) -> torch.Tensor:
        rows = [
            read_windows(self.tokens[domain], np.array([window]), self.sequence_length)
            for domain, window in places
        ]
        return torch.cat(rows)


def make_loader(stream: BatchStream, is_gpu: bool) -> DataLoader:
    """Return the stream's loader; for a GPU, a process that reads ahead into pinned memory."""
    if not is_gpu:
        return DataLoader(stream, batch_size=None)
    return DataLoader(
        stream,
        batch_size=None,
        num_workers=1,
        prefetch_factor=8,
        pin_memory=True,
        # The stream asks the trainer for its step, which only a forked worker knows.
        multiprocessing_context="fork",
    )


def validation_windows(
    tokens: np.ndarray, *, sequence_length: int, count: int, domain: str
) -> torch.Tensor:
    """Return `count` windows spread evenly over the tokens, the same for every run.

    Raises DataError when the validation split is shorter than that.
    """
    available = num_windows(len(tokens), sequence_length)
    if available < count:
        raise DataError(
            f"validation domain {domain!r} is too short: its {len(tokens):,} tokens hold "
            f"{available} of {count} windows of {sequence_length} tokens. Give it more text, or "
            "lower validation.num_windows"
        )
    chosen = np.linspace(0, available - 1, count).round().astype(np.int64)
    return read_windows(tokens, chosen, sequence_length)
