"""How large and how long: the N and D of the lowest loss for a number of FLOPs, by L(N, D)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mixlaws.decision.counting import COUNTED, Sizes
from mixlaws.decision.intervals import central_interval
from mixlaws.decision.size_token_fit import Runs, SizeTokenFit, fit_size_tokens, usable_mixtures
from mixlaws.decision.support import MEASURED_FACTOR
from mixlaws.errors import ConfigError, FitError
from mixlaws.laws.chinchilla import ChinchillaLaw
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.overall import Columns
from mixlaws.presentation import format_count

TOKENS_PER_PARAMETER = 20.0
"""The rule of thumb after Hoffmann et al. 2022."""
GROWTH = 10.0
"""Times the FLOPs for which the growth of N and D is stated."""
BELOW_FACTOR = 10.0
"""How far below the smallest run an optimum may lie."""
WIDEST = 100.0
"""An interval of N whose ends differ by more than this factor excludes nothing."""
CURVES = (0.0625, 0.25, 1.0, 4.0)
"""The budgets whose curves are drawn, over the one asked for."""
CURVE_SPAN = 8.0
"""A curve goes from the optimum's N over this factor to N times it."""
CURVE_POINTS = 33
ISOFLOP_COLUMNS = ("flops", "num_params", "tokens", "loss", "lower", "upper", "is_optimum")


@dataclass(frozen=True)
class Question:
    """What is asked: FLOPs, a mixture, and how FLOPs are counted."""

    flops: float
    mixture: str | None
    """Its id; None takes the first baseline with enough sizes."""
    count: str
    """In the words of `counting`."""
    level: float
    replicates: int
    seed: int
    early_cut: float
    """Share of each run's tokens, from its start, that the law leaves out."""


def answer_budget(
    observations: Observations,
    columns: Columns,
    target: Target,
    question: Question,
    baselines: Sequence[str],
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the record of the best size and tokens, and the isoFLOP curves.

    The record has `reason`: empty, or why there is no answer (and then no `optimum`). Without the
    sizes for a fit it has no parameters either. Raises ConfigError for an unknown mixture.
    """
    runs = Runs.of(
        observations,
        columns.overall(observations.losses),
        counted=question.count == COUNTED,
        early_cut=question.early_cut,
    )
    mixture = _choose_mixture(runs, question.mixture, baselines)
    record: dict[str, Any] = {
        "flops": float(question.flops),
        "count": question.count,
        "mixture": mixture,
        "level": question.level,
    }
    nothing = pd.DataFrame(columns=list(ISOFLOP_COLUMNS))
    try:
        fit = fit_size_tokens(
            runs, mixture, target, replicates=question.replicates, seed=question.seed
        )
    except FitError as error:
        return record | {"reason": f"{error}."}, nothing
    answer = _Answer(fit, Sizes.of(observations, target, question.count), question)
    record |= answer.law_record(observations)
    reason = answer.why_none(observations)
    if reason:
        return record | {"reason": reason}, nothing
    return record | {"reason": ""} | answer.optimum_record(), answer.curves()


def _choose_mixture(runs: Runs, asked: str | None, baselines: Sequence[str]) -> str:
    known = list(dict.fromkeys(runs.mixture.tolist()))
    if asked is not None:
        if asked not in known:
            raise ConfigError(
                f"no run was trained on the mixture {asked}. Choose one of {', '.join(known)} "
                "(compute_budget.mixture or --mixture)"
            )
        return asked
    usable = usable_mixtures(runs)
    best = [name for name in baselines if name in usable] or usable
    return best[0] if best else known[0]


@dataclass(frozen=True, eq=False)
class _Answer:
    fit: SizeTokenFit
    sizes: Sizes
    question: Question

    def law_record(self, observations: Observations) -> dict[str, Any]:
        """Return the parameters and what follows from them whatever the budget."""
        law, copies = self.fit.law, self.fit.replicates
        names = ("E", "A", "alpha", "B", "beta")
        growth, drawn = law.growth(GROWTH), copies.growth(GROWTH)
        return {
            "parameters": {n: self._estimate(getattr(law, n), getattr(copies, n)) for n in names},
            "reference_params": law.reference_params,
            "reference_tokens": law.reference_tokens,
            "num_runs": len(self.fit.runs.run_masks()),
            "num_pooled": self.fit.num_pooled,
            "growth": {
                "flops": GROWTH,
                "num_params": self._estimate(growth[0], drawn[0]),
                "tokens": self._estimate(growth[1], drawn[1]),
            },
            "next_doubling": self._next_doubling(observations),
        }

    def _next_doubling(self, observations: Observations) -> dict[str, Any]:
        """Return what doubling the tokens, or the size, of the largest run gains, in nats."""
        own = observations.select(observations.mixture == self.fit.mixture)
        largest = float(own.num_params.max())
        tokens = float(own.tokens[own.num_params == largest].max())
        at = float(self.sizes.params_of(largest)), tokens

        def gains(law: ChinchillaLaw) -> tuple[np.ndarray, np.ndarray]:
            size, token = law.terms(*at)
            return token * (1 - 2**-law.beta), size * (1 - 2**-law.alpha)

        value, drawn = gains(self.fit.law), gains(self.fit.replicates)
        return {
            "num_params": largest,
            "tokens": tokens,
            "gain_of_tokens": self._estimate(value[0], drawn[0]),
            "gain_of_size": self._estimate(value[1], drawn[1]),
            "ratio": self._estimate(value[0] / value[1], drawn[0] / drawn[1]),
        }

    def optimum_record(self) -> dict[str, Any]:
        """Return the best N and D, and how the rule of thumb compares."""
        flops, law, copies = self.question.flops, self.fit.law, self.fit.replicates
        (size, tokens), (sizes, drawn_tokens) = law.optimum(flops), copies.optimum(flops)
        num_params = self.sizes.num_params_of(size)
        drawn = self.sizes.num_params_of(sizes)
        rule = self.sizes.at_ratio(flops, TOKENS_PER_PARAMETER)
        at_rule = float(self.sizes.params_of(rule[0])), rule[1]
        excess = law.predict(*at_rule) - law.predict(size, tokens)
        drawn_excess = copies.predict(*at_rule) - copies.predict(sizes, drawn_tokens)
        best = law.predict(size, tokens), copies.predict(sizes, drawn_tokens)
        return {
            "optimum": {
                "num_params": self._estimate(num_params, drawn),
                "tokens": self._estimate(tokens, drawn_tokens),
                "tokens_per_parameter": self._estimate(tokens / num_params, drawn_tokens / drawn),
                "loss": self._estimate(*best),
            },
            "rule_of_thumb": {
                "tokens_per_parameter": TOKENS_PER_PARAMETER,
                "num_params": rule[0],
                "tokens": rule[1],
                "excess": self._estimate(excess, drawn_excess),
            },
        }

    def why_none(self, observations: Observations) -> str:
        """Say why the law supports no answer; empty if it supports one."""
        flops = self.question.flops
        size, tokens = (float(each[0]) for each in self.fit.law.optimum(flops))
        num_params = float(self.sizes.num_params_of(size))
        drawn = self.sizes.num_params_of(self.fit.replicates.optimum(flops)[0])
        of_size = self._estimate(np.array([num_params]), drawn)
        own = observations.select(observations.mixture == self.fit.mixture)
        found = {"parameters": (num_params, own.num_params), "tokens": (tokens, own.tokens)}
        for name, (value, seen) in found.items():
            if value > MEASURED_FACTOR * seen.max():
                return (
                    f"The optimum would need {format_count(value)} {name}, more than "
                    f"{MEASURED_FACTOR:,.0f} times as many as the largest run "
                    f"({format_count(seen.max())}). No experiment has measured how errors grow "
                    "that far."
                )
            if value < seen.min() / BELOW_FACTOR:
                return (
                    f"The optimum would need {format_count(value)} {name}, less than a tenth of "
                    f"the smallest that was measured ({format_count(seen.min())}). The law says "
                    "nothing of runs so small."
                )
        if of_size["upper"] > WIDEST * of_size["lower"]:
            return (
                f"The interval of the best size goes from {format_count(of_size['lower'])} to "
                f"{format_count(of_size['upper'])} parameters. It excludes nothing. Train more "
                "sizes, or for more tokens."
            )
        return ""

    def curves(self) -> pd.DataFrame:
        """Return the loss over N at several budgets, and the optimum of each."""
        tables = []
        for part in CURVES:
            flops = part * self.question.flops
            best = self.fit.law.optimum(flops)[0]
            grid = np.geomspace(best / CURVE_SPAN, best * CURVE_SPAN, CURVE_POINTS).ravel()
            tokens = flops / 6 / grid
            loss = np.array([self.fit.law.predict(*at)[0] for at in zip(grid, tokens, strict=True)])
            drawn = np.stack(
                [self.fit.replicates.predict(*at) for at in zip(grid, tokens, strict=True)], axis=1
            )
            bounds = central_interval(loss, drawn, self.question.level, self._num_resampled)
            columns = (self.sizes.num_params_of(grid), tokens, loss, bounds.lower, bounds.upper)
            table = pd.DataFrame(dict(zip(ISOFLOP_COLUMNS[1:6], columns, strict=True)))
            tables.append(
                table.assign(flops=flops, is_optimum=np.arange(len(grid)) == CURVE_POINTS // 2)
            )
        return pd.concat(tables, ignore_index=True)[list(ISOFLOP_COLUMNS)]

    @property
    def _num_resampled(self) -> int:
        return len(self.fit.runs.run_masks())

    def _estimate(self, value: np.ndarray, draws: np.ndarray) -> dict[str, float]:
        """Return the estimate of a value (1,) from draws (B,)."""
        one = np.ravel(value)[0]
        bounds = central_interval(one, draws, self.question.level, self._num_resampled)
        return {
            "value": float(one),
            "lower": float(bounds.lower),
            "upper": float(bounds.upper),
        }
