"""The pipelines as candidates for the distance folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mixlaws.laws.joint.fit import after_early_cut
from mixlaws.laws.observations import Observations
from mixlaws.scoring.distance_folds import Candidate

MIN_SIZES = {"nested": 3}
"""Sizes that a fold in size must leave: nested's size law has three parameters; others need two."""


def make_candidates(pipelines: Sequence[Any], observations: Observations) -> list[Candidate]:
    """Return the candidates in the order of the pipelines.

    A joint law's early cut is taken from the full runs, and its fits cut nothing more; nested and
    the log-log lines cut each run at a part of its own length.
    """
    return [_candidate(pipeline, observations) for pipeline in pipelines]


def _candidate(pipeline: Any, observations: Observations) -> Candidate:
    min_sizes = MIN_SIZES.get(pipeline.name, 2)
    if not pipeline.name.startswith("joint"):
        return Candidate(pipeline, np.ones(len(observations), dtype=bool), min_sizes, by_span=False)
    settings = replace(pipeline.settings, early_cut=0.0)
    kept = after_early_cut(observations, pipeline.settings.early_cut)
    return Candidate(replace(pipeline, settings=settings), kept, min_sizes, by_span=True)


def common_rows(candidates: Sequence[Candidate]) -> np.ndarray:
    """Return the rows (n,) that all candidates keep: the folds must leave checkpoints of these."""
    return np.logical_and.reduce([candidate.kept for candidate in candidates])
