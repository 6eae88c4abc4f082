"""Seconds of each stage of the laws, beside the original algorithm's, in one run.

    MIXLAWS_PUBLISHED=<folder of the published logs> python benchmarks/laws.py

prints a Markdown table (docs/benchmarks.md). The original algorithm is run as its authors
configured it (pipeline/run.sh; torch L-BFGS, float32) for a few starts of each fit, and the
time of one start is multiplied by the number of starts: its full run takes a day.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/reference")]

from published_logs import common_mixtures, read_logs, read_regmix_1m  # noqa: E402

from mixlaws.decision.bootstrap import Sampling, bootstrap  # noqa: E402
from mixlaws.laws.joint.fit import DEFAULT_FORMS, fit_joint  # noqa: E402
from mixlaws.laws.mixing.fit import fit_mixing_law  # noqa: E402
from mixlaws.laws.nested import NestedSettings, fit_nested  # noqa: E402
from mixlaws.laws.observations import Observations, Target  # noqa: E402
from mixlaws.laws.pipelines import Joint  # noqa: E402
from mixlaws.laws.power import fit_power_laws  # noqa: E402

PROXIES = ["70M", "160M", "305M", "410M"]
NUM_REPEATS = 3
NUM_REPLICATES = 200
NUM_PROCESSES = 2


@dataclass(frozen=True)
class Stage:
    """One row of the table."""

    name: str
    seconds: float
    """CPU seconds of the process (wall where the note says so): median, or extrapolated."""
    note: str


def cpu_seconds(work: Callable[[], Any]) -> float:
    """Return the median CPU time of the work, after one run to warm up."""
    work()
    seconds = []
    for _ in range(NUM_REPEATS):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return float(np.median(seconds))


def our_stages(seen: Observations, target: Target, published: Path) -> Iterator[Stage]:
    """Yield the stages of this package."""
    order = np.lexsort((seen.step, seen.mixture, seen.num_params))
    tokens = np.unique(seen.tokens)
    num_validation = len(seen.validation_domains)
    curves = seen.losses[order].reshape(-1, len(tokens), num_validation).swapaxes(1, 2)
    curves = curves.reshape(-1, len(tokens))
    seconds = cpu_seconds(lambda: fit_power_laws(tokens, curves, robust=True))
    yield Stage("step laws", seconds, f"{len(curves):,} curves")
    seconds = cpu_seconds(lambda: fit_nested(seen, target, settings=NestedSettings()))
    yield Stage("whole nested fit", seconds, "RedPajama: 20 mixtures, 22 domains; bar 1 s")
    table = fit_nested(seen, target)
    seconds = cpu_seconds(lambda: fit_mixing_law("additive", table.proportions, table.losses))
    yield Stage("additive law", seconds, "20 mixtures, 22 domains")
    regmix = read_regmix_1m(published)
    one = regmix.losses[:, [regmix.validation_domains.index("pile_cc")]]
    seconds = cpu_seconds(lambda: fit_mixing_law("additive", regmix.proportions, one))
    yield Stage("additive law, RegMix", seconds, "512 mixtures, 17 domains, 1 target; bar 0.5 s")
    seconds = cpu_seconds(lambda: fit_mixing_law("additive", regmix.proportions, regmix.losses))
    yield Stage("additive law, RegMix", seconds, "512 mixtures, 17 domains, 13 targets")


def original_stages() -> Iterator[Stage]:
    """Yield the stages of the original algorithm, from a few starts each."""
    torch.set_num_threads(1)
    step = seconds_per_start(num_curves=5, num_points=6, delta=0.05, num_outer=20, num_starts=8)
    yield Stage("original: step laws", step * 80 * 5_500, f"{step:.3f} s x 80 fits x 5,500 starts")
    size = seconds_per_start(num_curves=100, num_points=3, delta=0.08, num_outer=100, num_starts=3)
    yield Stage("original: size law", size * 10_000, f"{size:.3f} s x 10,000 starts")
    boosted = seconds_per_network(num_mixtures=20, num_domains=7)
    yield Stage("original: mixing law", boosted * 16 * 30, f"{boosted:.2f} s x 16 x 30 networks")


def seconds_per_start(
    *, num_curves: int, num_points: int, delta: float, num_outer: int, num_starts: int
) -> float:
    """Time one start of a power law with a shared exponent: L-BFGS on a Huber loss.

    The loss is c + (x0 / x)^alpha with ln c and ln x0 per curve; the held-out score is computed
    after each of `num_outer` calls of at most 20 iterations, as in the authors' law.py.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.linspace(23.0, 24.0, num_points)
    observed = 2.5 + torch.exp(0.4 * (22.0 - x)) * torch.ones(num_curves, 1)
    observed = observed + 0.005 * torch.randn(observed.shape, generator=generator)
    huber = torch.nn.HuberLoss(reduction="sum", delta=delta)
    begin = time.process_time()
    for _ in range(num_starts):
        log_c = torch.log(observed.min(dim=1).values) + torch.rand(num_curves, generator=generator)
        parameters = [log_c, torch.full((num_curves,), 19.0), torch.tensor([0.7])]
        for parameter in parameters:
            parameter.requires_grad_()
        run_lbfgs(parameters, x, observed, huber, num_outer)
    return (time.process_time() - begin) / num_starts


def run_lbfgs(
    parameters: list[torch.Tensor],
    x: torch.Tensor,
    observed: torch.Tensor,
    huber: torch.nn.HuberLoss,
    num_outer: int,
) -> None:
    """Run one start in place."""
    optimizer = torch.optim.LBFGS(
        parameters, lr=0.01, history_size=10, max_iter=20, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        log_c, log_x0, alpha = parameters
        return huber(torch.exp(log_c)[:, None] + torch.exp(alpha * (log_x0[:, None] - x)), observed)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    for _ in range(num_outer):
        optimizer.step(closure)
        with torch.no_grad():
            loss()


def seconds_per_network(*, num_mixtures: int, num_domains: int) -> float:
    """Time one network of the boosted ensemble: 30 exponential units, 5,000 steps of AdamW.

    Each step is scored on all mixtures, as the authors' code does.
    """
    torch.manual_seed(0)
    shares = torch.rand(num_mixtures, num_domains)
    observed = torch.rand(num_mixtures)
    inner = torch.nn.Linear(num_domains, 30)
    mix, constant = torch.nn.Parameter(torch.zeros(30)), torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([*inner.parameters(), mix, constant], lr=0.1, weight_decay=1e-3)
    huber = torch.nn.HuberLoss(delta=0.03)
    num_fitted = num_mixtures * 4 // 5
    begin = time.process_time()
    for _ in range(5_000):
        optimizer.zero_grad()
        predicted = torch.exp(inner(shares)) @ torch.softmax(mix, 0) + constant
        huber(predicted[:num_fitted], observed[:num_fitted]).backward()
        optimizer.step()
        with torch.no_grad():
            (torch.exp(inner(shares)) @ torch.softmax(mix, 0) + constant - observed).abs().mean()
    return time.process_time() - begin


def joint_stages(seen: Observations, target: Target) -> Iterator[Stage]:
    """Yield the stages of the joint laws: one form, the default ensemble, bootstrap refits."""
    seconds = cpu_seconds(lambda: fit_joint(seen, form="F1"))
    yield Stage("joint law F1", seconds, f"{len(seen)} checkpoints, 22 domains; bar 5 s")
    seconds = cpu_seconds(lambda: Joint().fit_forms(seen))
    yield Stage("joint laws, default ensemble", seconds, "bar 10 s")
    for name, forms, bar in (("F1", ["F1"], "60 s"), ("the ensemble", DEFAULT_FORMS, "4 min")):
        begin = time.perf_counter()
        sampling = Sampling(NUM_REPLICATES, processes=NUM_PROCESSES)
        bootstrap(Joint(tuple(forms)), seen, target, sampling=sampling)
        note = f"wall, {NUM_REPLICATES} replicates, {NUM_PROCESSES} processes; bar {bar}"
        yield Stage(f"bootstrap of {name}", time.perf_counter() - begin, note)


def main() -> None:
    """Print the table."""
    folder = os.environ.get("MIXLAWS_PUBLISHED")
    if not folder:
        sys.exit("MIXLAWS_PUBLISHED must name the folder of the published logs, but is not set")
    published = Path(folder)
    study = read_logs(published, "redpajama")
    seen = common_mixtures(study, PROXIES, range(10_000, 30_001))
    target = study.target("1B", 100_000)
    stages = [
        *our_stages(seen, target, published),
        *joint_stages(seen, target),
        *original_stages(),
    ]
    print("| stage | s | |\n|---|---|---|")
    for stage in stages:
        print(f"| {stage.name} | {stage.seconds:,.3g} | {stage.note} |")
    total = sum(stage.seconds for stage in stages if stage.name.startswith("original"))
    nested = next(stage.seconds for stage in stages if stage.name == "whole nested fit")
    print(
        f"\nThe original's three fits: {total / 3600:.1f} core-hours, {total / nested:,.0f} times"
    )


if __name__ == "__main__":
    main()
