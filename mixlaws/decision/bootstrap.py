"""Refit a pipeline to resampled runs: how much the law could differ, given the data."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from mixlaws.errors import FitError
from mixlaws.laws.law import Law, members
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.pipelines import Pipeline

# More failures than this and the rest is no fair sample of what could have been observed.
MAX_FAILED_SHARE = 0.2

_PER_TASK = 4
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Sampling:
    """How many resamples, from which seed, in how many processes."""

    replicates: int = 200
    seed: int = 0
    processes: int = 1


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """A law at the target fitted to the data and to resamples of it."""

    fitted: Law
    """Fitted to all the data."""
    replicates: tuple[Law, ...]
    """One law per resample that could be fitted."""
    failures: tuple[str, ...]
    """The message of each resample that could not."""
    num_mixtures: int
    """Mixtures that were resampled."""

    def every_law(self) -> list[Law]:
        """Return the laws of all replicates; each law of an ensemble counts as one draw."""
        return [law for replicate in self.replicates for law in members(replicate)]

    def draws(self, proportions: np.ndarray) -> np.ndarray:
        """Return (B, m, V): what every law of the replicates predicts for (m, K) mixtures."""
        return np.array([law.predict(proportions) for law in self.every_law()])


def resample(observations: Observations, generator: np.random.Generator) -> Observations:
    """Draw as many mixtures as there are, with replacement, and seeds within each.

    A run stays whole: its checkpoints share their noise, so they are never drawn one by one. A
    mixture keeps all its sizes: the noise is shared between them too. Copies of a mixture (or
    seed) get ids of their own (`mix-003#7`), so that laws per mixture treat them as two.
    """
    mixtures = np.unique(observations.mixture)
    drawn = generator.integers(len(mixtures), size=len(mixtures))
    rows, ids, seeds = [], [], []
    for copy, mixture in enumerate(mixtures[drawn]):
        for size in np.unique(observations.size[observations.mixture == mixture]):
            here = (observations.mixture == mixture) & (observations.size == size)
            for place, seed in enumerate(_draw_seeds(observations.seed[here], generator)):
                run = np.flatnonzero(here & (observations.seed == seed))
                rows.append(run)
                ids += [f"{mixture}#{copy}"] * len(run)
                seeds += [place] * len(run)
    chosen = observations.select(np.concatenate(rows))
    return replace(chosen, mixture=np.array(ids), seed=np.array(seeds))


def _draw_seeds(seeds: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return as many seeds as there are, with replacement; no draw is spent on a single one."""
    distinct = np.unique(seeds)
    return distinct if len(distinct) == 1 else generator.choice(distinct, size=len(distinct))


def bootstrap(
    pipeline: Pipeline,
    observations: Observations,
    target: Target,
    *,
    sampling: Sampling = Sampling(),
    fitted: Law | None = None,
) -> Bootstrap:
    """Fit a pipeline to resamples of the data, and to the data unless `fitted` is that law.

    Replicate b depends on (seed, b) only, not on the number of processes. Progress goes to stderr.
    A replicate that raises FitError, or predicts a loss that is not finite for a mixture of the
    data, is left out and its message kept.

    Raises:
        FitError: the pipeline cannot be fitted to the data, or more than a fifth of the
            replicates fail.
    """
    law = pipeline.fit(observations, target) if fitted is None else fitted
    work = _Work(pipeline, observations, target, law, sampling.seed)
    outcomes: dict[int, Law | str] = {}
    for part in _run(work, sampling):
        outcomes |= part
        _show_progress(len(outcomes), sampling.replicates)
    ordered = [outcomes[index] for index in sorted(outcomes)]
    failures = tuple(outcome for outcome in ordered if isinstance(outcome, str))
    if len(failures) > MAX_FAILED_SHARE * sampling.replicates:
        raise FitError(
            f"{len(failures)} of {sampling.replicates} bootstrap replicates failed, more than "
            f"{MAX_FAILED_SHARE:.0%}. The first failed because {failures[0]}. Train more mixtures, "
            "or choose a law with fewer parameters in laws.mixing"
        )
    return Bootstrap(
        fitted=law,
        replicates=tuple(outcome for outcome in ordered if not isinstance(outcome, str)),
        failures=failures,
        num_mixtures=len(np.unique(observations.mixture)),
    )


@dataclass(frozen=True, eq=False)
class _Work:
    """What a process needs to compute any replicate."""

    pipeline: Pipeline
    observations: Observations
    target: Target
    fitted: Law
    seed: int

    def replicate(self, index: int) -> Law | str:
        """Return the law of one replicate, or why there is none."""
        sample = resample(self.observations, np.random.default_rng([self.seed, index]))
        seen = np.unique(self.observations.proportions, axis=0)
        try:
            law = self.pipeline.fit(sample, self.target, self.fitted)
        except FitError as error:
            return str(error)
        for each in members(law):
            if not np.isfinite(each.predict(seen)).all():
                return f"{each.name} predicts a loss that is not finite"
        return law

    def replicate_all(self, indices: Sequence[int]) -> dict[int, Law | str]:
        """Return the outcome of several replicates by index."""
        return {index: self.replicate(index) for index in indices}


def _run(work: _Work, sampling: Sampling) -> Iterator[dict[int, Law | str]]:
    """Yield the outcomes task by task, in whatever order they finish."""
    tasks = [range(first, min(first + _PER_TASK, sampling.replicates))
             for first in range(0, sampling.replicates, _PER_TASK)]  # fmt: skip
    if sampling.processes == 1:
        yield from map(work.replicate_all, tasks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(sampling.processes, mp_context=context) as pool:
        with _no_main_script(), _one_thread_each():
            futures = [pool.submit(work.replicate_all, task) for task in tasks]
        for future in as_completed(futures):
            yield future.result()


@contextmanager
def _no_main_script() -> Iterator[None]:
    """Keep the processes that start meanwhile from running the main script once more.

    `spawn` imports it by its path, and a workflow script has no `if __name__ == "__main__"`.
    """
    main = sys.modules["__main__"]
    path = main.__dict__.pop("__file__", None)
    try:
        yield
    finally:
        if path is not None:
            main.__file__ = path


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Give the processes that start meanwhile one thread each for linear algebra.

    A job's environment allows as many as the job has; times as many processes, they would wait
    for one another on matrices too small to share.
    """
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _show_progress(done: int, total: int) -> None:
    """Write one line to stderr that overwrites itself."""
    end = "\n" if done == total else ""
    print(f"\rbootstrap: {done}/{total} replicates", end=end, file=sys.stderr, flush=True)
