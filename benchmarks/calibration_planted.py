"""Planted cases: what the choice and its intervals say where the data cannot support an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from planted import planted_observations

from mixlaws.decision.limits import GroupLimit, make_limits
from mixlaws.errors import ConfigError, FitError
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.overall import Columns
from mixlaws.laws.pipelines import Joint, Nested
from mixlaws.scoring.forward import Forward, look_forward

SIZES = {"S": 1e6, "M": 2e6, "L": 4e6, "XL": 8e6}
LEVEL = 0.9
PIPELINES = (Nested(), Joint())


@dataclass(frozen=True)
class Case:
    """One planted case: a function that answers with a sentence or raises."""

    name: str
    run: Callable[[], str]
    raises: type[Exception] | None = None
    """What it must raise; None: it must answer."""


def _runs(**options: object) -> Observations:
    return planted_observations(num_mixtures=8, noise=0.002, **options)  # type: ignore[arg-type]


def _answer(runs: Observations, target: Target) -> Forward:
    number = len(runs.validation_domains)
    columns = Columns(runs.validation_domains, np.full(number, 1 / number))
    return look_forward(runs, target, columns, PIPELINES)


def _sentence(runs: Observations, target: Target) -> str:
    """Say which pipeline answers, and how wide its interval is beside what mixtures differ by."""
    found = _answer(runs, target)
    width = found.uncertainty.of_losses(runs.proportions, LEVEL, "expected")[:, -1].mean()
    overall = runs.losses.mean(axis=1)[runs.tokens == runs.tokens.max()]
    return (
        f"{found.choice.name}; half-width of the expected overall loss {width:.3g} nats, the "
        f"trained mixtures' losses span {np.ptp(overall):.3g}"
    )


def _target(num_params: float, tokens: float) -> Target:
    return Target(num_params, num_params, tokens, tokens)


def _near() -> str:
    found = _answer(_runs(sizes=SIZES), _target(10e6, 100e5))
    if found.choice.name != "nested":
        raise AssertionError(f"{found.choice.name} was chosen on losses that nested planted")
    expected = ", ".join(f"{name} {error:.4f}" for name, error in found.choice.expected.items())
    return f"nested; expected error of the overall loss {expected}"


def _conflict() -> str:
    groups = [GroupLimit("web", ("a", "b"), 0.9, 1.0)]
    make_limits(("a", "b", "c"), 1e9, shares={"a": (0.0, 0.2), "b": (0.0, 0.3)}, groups=groups)
    return "no error"


def _point(
    sizes: dict[str, float], steps: tuple[int, ...], num_params: float, tokens: float
) -> str:
    """Answer for a target from runs of these sizes, evaluated at these steps only."""
    runs = _runs(sizes=sizes)
    return _sentence(runs.select(np.isin(runs.step, steps)), _target(num_params, tokens))


ALL_STEPS = (10, 14, 20, 28, 40, 56, 80)
ONE = {"L": SIZES["L"]}
CASES = (
    Case("losses that nested planted, near target", _near),
    Case("a million times the largest N", partial(_point, SIZES, ALL_STEPS, 8e12, 80e5)),
    Case("one size, later target", partial(_point, ONE, ALL_STEPS, 4e6, 100e5)),
    Case("one size, larger target", partial(_point, ONE, ALL_STEPS, 8e6, 80e5), FitError),
    Case("one size and one evaluation, target there", partial(_point, ONE, (80,), 4e6, 80e5)),
    Case("four sizes and one evaluation, target there", partial(_point, SIZES, (80,), 8e6, 80e5)),
    Case("one evaluation, later target", partial(_point, SIZES, (80,), 8e6, 160e5), FitError),
    Case("two evaluations, later target", partial(_point, SIZES, (40, 80), 8e6, 160e5), FitError),
    Case("limits that conflict", _conflict, ConfigError),
)


def planted_table() -> str:
    """Return the cases with what was said; raise AssertionError where a case does otherwise."""
    lines = ["\nPlanted cases.\n", "| case | outcome | what is said |\n|---|---|---|"]
    for case in CASES:
        outcome, said = "answer", ""
        try:
            said = case.run()
        except (FitError, ConfigError) as error:
            outcome, said = type(error).__name__, str(error)
        wanted = "answer" if case.raises is None else case.raises.__name__
        if outcome != wanted:
            raise AssertionError(f"{case.name}: {wanted} was expected, got {outcome}: {said}")
        lines.append(f"| {case.name} | {outcome} | {said} |")
    return "\n".join(lines)
