"""Is the slope common to all mixtures, as the log-log lines assume? Own slopes, and a test.

Each mixture gets slopes of its own, and an F test compares their scatter with the noise of runs.
The unit is the run, because the checkpoints of one run share their noise. What all mixtures have in
common at a size is removed first: a curve that they share (by an irreducible loss, for example) is
no difference of slopes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from mixlaws.laws.loglog import LogLogSettings, late_rows
from mixlaws.laws.observations import Observations
from mixlaws.laws.overall import Columns

MIN_MIXTURES = 3


@dataclass(frozen=True, eq=False)
class SlopeTest:
    """The slopes of ln loss in one regressor by mixture, and whether they differ; overall last."""

    regressor: str
    """num_params, tokens or compute."""
    mixtures: np.ndarray
    """(M,) ids of the mixtures that were seen at every size."""
    slopes: np.ndarray
    """(M, V + 1) own slope of each mixture."""
    f: np.ndarray
    """(V + 1,) F statistic; nan if the denominator has no degrees of freedom."""
    degrees: tuple[int, int]
    """Degrees of freedom of numerator and denominator."""

    @property
    def p(self) -> np.ndarray:
        """Return the chance (V + 1,) of so large an F if all mixtures have one slope."""
        return np.asarray(stats.f.sf(self.f, *self.degrees))


def compare_slopes(
    observations: Observations, columns: Columns, settings: LogLogSettings
) -> list[SlopeTest]:
    """Return the test of each regressor of the log-log lines in which slopes can be measured.

    The list is empty with fewer than three mixtures that were seen at every size.
    """
    kept = late_rows(observations, settings.early_cut)
    mixtures, sizes = _complete_mixtures(kept)
    if len(mixtures) < MIN_MIXTURES:
        return []
    means, token_slopes = _measure_runs(kept, columns, mixtures, sizes)
    by_compute = settings.regressors == "compute"
    tests = []
    if len(sizes) > 1:
        at = kept.compute_params * kept.tokens if by_compute else kept.num_params
        x = np.array([np.log(at[kept.num_params == each]).mean() for each in sizes])
        if not by_compute:
            means = means - _shift_by_tokens(kept, token_slopes, sizes)
        tests.append(_test_sizes("compute" if by_compute else "num_params", mixtures, means, x))
    if not by_compute and np.isfinite(token_slopes).all():
        tests.append(_test_tokens(mixtures, token_slopes))
    return tests


def _shift_by_tokens(kept: Observations, slopes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return how much (S, V + 1) the mean ln loss of a size owes to its own numbers of tokens."""
    if not np.isfinite(slopes).all():
        return np.zeros((len(sizes), slopes.shape[2]))
    log_tokens = np.array([np.log(kept.tokens[kept.num_params == each]).mean() for each in sizes])
    return np.multiply.outer(log_tokens - log_tokens.mean(), slopes.mean(axis=(0, 1)))


def _complete_mixtures(kept: Observations) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids (M,) of the mixtures that were seen at every size, and the sizes' N (S,)."""
    sizes = np.unique(kept.num_params)
    seen = {
        str(mixture): len(np.unique(kept.num_params[kept.mixture == mixture]))
        for mixture in np.unique(kept.mixture)
    }
    return np.array([name for name, count in seen.items() if count == len(sizes)]), sizes


def _measure_runs(
    kept: Observations, columns: Columns, mixtures: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (M, S, V + 1) the mean ln loss of runs, and their slopes in ln D, mean over seeds."""
    logs = np.log(columns.with_overall(kept.losses))
    shape = (len(mixtures), len(sizes), logs.shape[1])
    means, slopes = np.empty(shape), np.empty(shape)
    for i, mixture in enumerate(mixtures):
        for s, num_params in enumerate(sizes):
            here = (kept.mixture == mixture) & (kept.num_params == num_params)
            runs = [np.flatnonzero(here & (kept.seed == k)) for k in np.unique(kept.seed[here])]
            means[i, s] = np.mean([logs[run].mean(axis=0) for run in runs], axis=0)
            slopes[i, s] = np.mean([_slope(kept.tokens[run], logs[run]) for run in runs], axis=0)
    return means, slopes


def _slope(tokens: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """Return the slope (V + 1,) of ln loss in ln D over one run; nan for a single checkpoint."""
    x = np.log(tokens) - np.log(tokens).mean()
    if np.ptp(x) == 0:
        return np.full(logs.shape[1], np.nan)
    return np.asarray(x @ logs / (x @ x))


def _test_sizes(regressor: str, mixtures: np.ndarray, logs: np.ndarray, x: np.ndarray) -> SlopeTest:
    """Compare slopes over sizes (Mandel 1961): ln L_ms = a_m + b_s + slope_m x_s + noise."""
    centred = x - x.mean()
    spread = float(centred @ centred)
    common = np.einsum("s,msv->v", centred, logs) / (len(mixtures) * spread)
    apart = _interaction(logs)
    own = np.einsum("s,msv->mv", centred, apart) / spread
    explained = spread * (own**2).sum(axis=0)
    degrees = (len(mixtures) - 1, (len(mixtures) - 1) * (len(x) - 2))
    left = (apart**2).sum(axis=(0, 1)) - explained
    return SlopeTest(regressor, mixtures, common + own, _ratio(explained, left, degrees), degrees)


def _test_tokens(mixtures: np.ndarray, slopes: np.ndarray) -> SlopeTest:
    """Compare slopes over tokens, which were measured in every run: a two-way layout."""
    num_mixtures, num_sizes = slopes.shape[:2]
    own = slopes.mean(axis=1)
    explained = num_sizes * ((own - own.mean(axis=0)) ** 2).sum(axis=0)
    degrees = (num_mixtures - 1, (num_mixtures - 1) * (num_sizes - 1))
    left = (_interaction(slopes) ** 2).sum(axis=(0, 1))
    return SlopeTest("tokens", mixtures, own, _ratio(explained, left, degrees), degrees)


def _interaction(values: np.ndarray) -> np.ndarray:
    """Return values (M, S, V + 1) minus the means of their mixture and of their size."""
    by_mixture, by_size = values.mean(axis=1, keepdims=True), values.mean(axis=0, keepdims=True)
    return np.asarray(values - by_mixture - by_size + values.mean(axis=(0, 1), keepdims=True))


def _ratio(explained: np.ndarray, left: np.ndarray, degrees: tuple[int, int]) -> np.ndarray:
    """Return F (V + 1,); nan without degrees of freedom in the denominator."""
    if degrees[1] < 1:
        return np.full(len(explained), np.nan)
    return np.asarray((explained / degrees[0]) / np.maximum(left / degrees[1], 1e-300))
