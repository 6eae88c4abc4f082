"""Which pipeline is chosen, and how often its intervals hold, on the published logs.

    MIXLAWS_PUBLISHED=<folder of the published logs> python benchmarks/calibration.py

writes its tables into docs/measurements.md, between two comments, and prints them. `--pooled`
prints the table of scoring/pooled_errors.py instead. In every cell the pipeline, its errors by
distance and the variance of differences come from the training side alone; where mixtures are left
out, the folds are those of the whole swarm without these mixtures' rows. The pooled shapes leave
the swarm under test out. The 1B losses choose nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests/reference")]

from calibration_planted import planted_table  # noqa: E402
from published_logs import read_logs, weights_of  # noqa: E402

from mixlaws.laws.observations import Observations, Target  # noqa: E402
from mixlaws.laws.overall import Columns  # noqa: E402
from mixlaws.laws.pipelines import Joint, Nested  # noqa: E402
from mixlaws.losses.arrays import make_observations  # noqa: E402
from mixlaws.paper.points import target_at  # noqa: E402
from mixlaws.scoring.candidates import common_rows, make_candidates  # noqa: E402
from mixlaws.scoring.difference_variance import distances  # noqa: E402
from mixlaws.scoring.distance_errors import shapes_of  # noqa: E402
from mixlaws.scoring.distance_folds import (  # noqa: E402
    Candidate,
    Distance,
    FoldPredictions,
    distance_folds,
    distance_to,
    predict_folds,
)
from mixlaws.scoring.folds import (  # noqa: E402
    FoldResult,
    cross_validate_mixtures,
    last_losses,
    target_of,
)
from mixlaws.scoring.pipeline_choice import PipelineChoice, choose_pipeline  # noqa: E402
from mixlaws.scoring.uncertainty import measure_uncertainty  # noqa: E402

PIPELINES = (Nested(), Joint())
"""With their default settings: early cut .3, schedule on, all forms, as choose_joint chooses on
both swarms (tests/reference/test_joint.py)."""
SWARMS = ("5mix", "redpajama")
LEVEL = 0.9
NUM_GROUPS = 5
USUAL_STEPS = 30_000
NUM_RESAMPLES = 400
NUM_PROCESSES = 2


@dataclass(frozen=True, eq=False)
class Swarm:
    """The training side of one public study, and its runs at 1B."""

    name: str
    observations: Observations
    unseen: Observations
    columns: Columns
    targets: dict[str, Target]
    """What to choose a pipeline for."""


@dataclass(frozen=True, eq=False)
class Cell:
    """What is predicted from what."""

    swarm: str
    kind: str
    """mixtures, size, steps, two sizes, 10-20k steps or 1B."""
    trained: np.ndarray
    """(n, K) mixtures fitted at the largest size."""
    left_out: FoldResult
    """Leave-one-out predictions of the mixing law at these."""
    columns: Columns
    folds: FoldPredictions
    targets: dict[str, Distance]
    reach: Distance
    step: int
    mixtures: np.ndarray
    proportions: np.ndarray
    observed: np.ndarray
    predicted: dict[str, np.ndarray]
    """(m, V + 1) by pipeline."""

    @property
    def label(self) -> str:
        """Return swarm and kind."""
        return f"{self.swarm}, {self.kind}"


def read_swarm(published: Path, name: str) -> Swarm:
    """Return a study's proxies: 70M to 410M, the mixtures of the largest size and the default."""
    study = read_logs(published, name)
    seen = make_observations(study)
    mixtures = [*set(seen.mixture[seen.size == "410M"].tolist()), "default"]
    proxies = (seen.size != "1B") & np.isin(seen.mixture, mixtures)
    columns = Columns(seen.validation_domains, weights_of(study))
    # The 5mix logs here hold no 1B runs: the same point in N and D of the same schedule serves.
    point = study if name == "redpajama" else read_logs(published, "redpajama")
    end = target_at(point, "410M", USUAL_STEPS)
    # No run of 410M goes on to 36k steps; a choice needs the target's distance alone.
    later = replace(end, tokens=1.2 * end.tokens)
    targets = {"1B, 100k steps": target_at(point, "1B", 100_000), "410M, 36k steps": later}
    return Swarm(name, seen.select(proxies), seen.select(seen.size == "1B"), columns, targets)


def make_cell(
    swarm: Swarm,
    kind: str,
    train: Observations,
    unseen: Observations,
    folds: FoldPredictions | None = None,
) -> Cell:
    """Fit everything to `train` and predict the rows of `unseen`, which share one size and step."""
    candidates = make_candidates(PIPELINES, train)
    columns, target = swarm.columns, target_of(unseen)
    everything = np.ones(len(train), dtype=bool)
    if folds is None:
        folds = predict_folds(
            candidates, train, columns, distance_folds(train, common_rows(candidates))
        )
    largest = str(train.size[np.argmax(train.num_params)])
    table = last_losses(_usual(train), largest)
    left = next(r for r in cross_validate_mixtures(["additive"], table) if r.law == "additive")
    return Cell(
        swarm=swarm.name,
        kind=kind,
        trained=table.proportions,
        left_out=left,
        columns=columns,
        folds=folds,
        targets={c.name: c.distance(train, everything, target) for c in candidates},
        reach=distance_to(train, target),
        step=int(unseen.step[0]),
        mixtures=unseen.mixture,
        proportions=unseen.proportions,
        observed=columns.with_overall(unseen.losses),
        predicted={c.name: _predict(c, train, target, unseen, columns) for c in candidates},
    )


def _usual(observations: Observations) -> Observations:
    return observations.select(observations.step <= USUAL_STEPS)


def _predict(
    candidate: Candidate,
    train: Observations,
    target: Target,
    unseen: Observations,
    columns: Columns,
) -> np.ndarray:
    law = candidate.pipeline.fit(train.select(candidate.kept), target)
    return columns.with_overall(law.predict(unseen.proportions))


@dataclass(frozen=True, eq=False)
class SwarmFolds:
    """The folds of a whole swarm, and the targets to choose a pipeline for."""

    swarm: str
    folds: FoldPredictions
    targets: dict[str, tuple[dict[str, Distance], Distance]]
    """By label: the distance in each pipeline's units, and the plain one."""


def fit_folds(swarm: Swarm) -> SwarmFolds:
    """Fit the folds of a whole swarm."""
    runs, candidates = swarm.observations, make_candidates(PIPELINES, swarm.observations)
    folds = predict_folds(
        candidates, runs, swarm.columns, distance_folds(runs, common_rows(candidates))
    )
    targets = {}
    for label, target in swarm.targets.items():
        everything = np.ones(len(runs), dtype=bool)
        distance = {c.name: c.distance(runs, everything, target) for c in candidates}
        targets[label] = (distance, distance_to(runs, target))
    return SwarmFolds(swarm.name, folds, targets)


CellArguments = tuple[Swarm, str, Observations, Observations, FoldPredictions | None]
"""Of make_cell."""


def plan_cells(swarm: Swarm, whole: SwarmFolds) -> Iterator[CellArguments]:
    """Yield what the cells of a swarm are made of, near ones first."""
    runs, folds = swarm.observations, whole.folds
    end = runs.select((runs.size == "410M") & (runs.step == USUAL_STEPS))
    names = np.unique(end.mixture)
    for group in range(NUM_GROUPS):
        out = names[group::NUM_GROUPS]
        rest = runs.select(~np.isin(runs.mixture, out))
        unseen = end.select(np.isin(end.mixture, out))
        yield swarm, "mixtures", rest, unseen, _without(folds, out)
    usual = _usual(runs)
    yield swarm, "size", runs.select(runs.size != "410M"), end, None
    yield swarm, "steps", usual.select(usual.step <= 0.75 * USUAL_STEPS), end, None
    early = (usual.step <= 20_000) & (usual.step >= 10_000)
    yield swarm, "10-20k steps", usual.select(early), end, None
    two = runs.select(np.isin(runs.size, ["70M", "160M"]))
    yield swarm, "two sizes", two, end, None
    for step in np.unique(swarm.unseen.step):
        if step in (10_000, 20_000, 40_000, 100_000):
            at_step = swarm.unseen.select(swarm.unseen.step == step)
            yield swarm, "1B", runs, at_step, folds


def _without(folds: FoldPredictions, mixtures: np.ndarray) -> FoldPredictions:
    """Return the folds without these mixtures' rows."""
    found = []
    for each in folds.found:
        rows = ~np.isin(each.mixtures, mixtures)
        if rows.any():
            parts = ("mixtures", "proportions", "observed", "predicted")
            found.append(replace(each, **{name: getattr(each, name)[rows] for name in parts}))
    return FoldPredictions(tuple(found), folds.failed)


@dataclass(frozen=True, eq=False)
class Bounds:
    """Half-widths in one cell, of one new run."""

    cell: Cell
    choice: PipelineChoice
    levels: np.ndarray
    """(m, V + 1)."""
    pairs: tuple[np.ndarray, np.ndarray]
    """Two index arrays of the cell's mixtures."""
    differences: np.ndarray
    """(pairs, V + 1)."""
    expected: np.ndarray
    """(pairs, V + 1), of expected losses."""
    before: tuple[float, float]
    """Half-widths of level and difference, overall, of the former rule without its bootstrap."""

    @property
    def errors(self) -> np.ndarray:
        """Return predicted minus observed (m, V + 1)."""
        return self.cell.predicted[self.choice.name] - self.cell.observed


def bound(cell: Cell) -> Bounds:
    """Choose the pipeline of a cell and compute its half-widths."""
    choice = choose_pipeline(cell.folds, cell.targets, cell.reach, swarm=cell.swarm)
    found = cell.folds.of(choice.name)
    widths = measure_uncertainty(choice, found, cell.left_out, cell.trained, cell.columns)
    i, j = np.triu_indices(len(cell.mixtures), 1)
    pair = cell.proportions[i], cell.proportions[j]
    none = np.empty((0, cell.observed.shape[1]))
    return Bounds(
        cell,
        choice,
        widths.of_losses(cell.proportions, LEVEL),
        (i, j),
        widths.of_differences(pair, LEVEL, "single_run") if len(i) else none,
        widths.of_differences(pair, LEVEL) if len(i) else none,
        former_rule(cell),
    )


def bound_cell(arguments: CellArguments) -> Bounds:
    """Make a cell and compute its half-widths."""
    return bound(make_cell(*arguments))


def former_rule(cell: Cell) -> tuple[float, float]:
    """Return 1.645 times the errors of nested on half the steps and on the largest size."""
    used = [
        p
        for p in cell.folds.of("nested")
        if p.fold.name.startswith("first 0.5") or (p.distance.size > 0 and p.distance.tokens == 0)
    ]
    errors = [p.errors[:, -1] for p in used]
    if not errors:
        return np.nan, np.nan
    level = np.sqrt(np.mean([np.mean(e**2) for e in errors]))
    difference = np.sqrt(np.mean([2 * e.var(ddof=1) for e in errors if len(e) > 1]))
    return float(1.645 * level), float(1.645 * difference)


@dataclass(frozen=True, eq=False)
class Held:
    """The points of one row of the table: what was missed, and by how much it could have been."""

    missed: np.ndarray
    """(p, V + 1) absolute errors."""
    width: np.ndarray
    """(p, V + 1) half-widths."""
    mixtures: tuple[np.ndarray, ...]
    """Ids (p,) of the mixtures of each point: one for a level, two for a difference."""

    def coverage(self) -> float:
        """Return the share of points inside; nan without points."""
        return float((self.missed <= self.width).mean()) if len(self.missed) else np.nan

    def limits(self) -> tuple[float, float]:
        """Return the 90 % interval of the coverage: mixtures resampled, not points."""
        inside = (self.missed <= self.width).mean(axis=1)
        names, index = np.unique(np.stack(self.mixtures), return_inverse=True)
        index = index.reshape(len(self.mixtures), -1)
        generator = np.random.default_rng(0)
        found = []
        for _ in range(NUM_RESAMPLES):
            drawn = generator.integers(len(names), size=len(names))
            weight = np.bincount(drawn, minlength=len(names))[index].prod(axis=0)
            if weight.sum():
                found.append(np.average(inside, weights=weight))
        low, high = np.quantile(found, [0.05, 0.95])
        return float(low), float(high)

    def score(self) -> float:
        """Return the mean interval score of the overall loss: width + 20 x what is outside."""
        outside = np.maximum(self.missed[:, -1] - self.width[:, -1], 0)
        return float((2 * self.width[:, -1] + 2 / (1 - LEVEL) * outside).mean())


def level_points(bounds: Sequence[Bounds]) -> Held:
    """Return the losses of all cells of a row."""
    return Held(
        np.concatenate([np.abs(b.errors) for b in bounds]),
        np.concatenate([b.levels for b in bounds]),
        (_names(bounds, lambda b: b.cell.mixtures),),
    )


def pair_points(bounds: Sequence[Bounds], third: int | None = None) -> Held:
    """Return the pairs of all cells of a row, or of one third of their distances."""
    sides = [_names(bounds, lambda b, side=side: b.cell.mixtures[b.pairs[side]]) for side in (0, 1)]
    missed = np.concatenate([np.abs(b.errors[b.pairs[0]] - b.errors[b.pairs[1]]) for b in bounds])
    width = np.concatenate([b.differences for b in bounds])
    apart = np.concatenate(
        [distances(*(b.cell.proportions[side] for side in b.pairs)) for b in bounds]
    )
    rows = np.ones(len(apart), dtype=bool)
    if third is not None and len(apart):
        low, high = np.quantile(apart, [third / 3, (third + 1) / 3])
        rows = (apart >= low) & (apart <= high)
    return Held(missed[rows], width[rows], (sides[0][rows], sides[1][rows]))


def _names(bounds: Sequence[Bounds], of: Callable[[Bounds], np.ndarray]) -> np.ndarray:
    return np.concatenate([np.char.add(f"{b.cell.swarm} ", of(b).astype(str)) for b in bounds])


def coverage_row(label: str, bounds: Sequence[Bounds]) -> str:
    """Return one Markdown row: levels, then differences."""
    levels, pairs = level_points(bounds), pair_points(bounds)
    chosen = "/".join(sorted({b.choice.name for b in bounds}))
    low, high = levels.limits()
    cells = [label, chosen, f"{len(np.unique(levels.mixtures[0]))}"]
    cells += [f"{levels.coverage():.2f} ({low:.2f}-{high:.2f})"]
    cells += [f"{(levels.missed <= levels.width)[:, -1].mean():.2f}"]
    before = np.nanmedian([b.before for b in bounds], axis=0)
    cells += [f"{np.median(levels.width[:, -1]):.4f} ({before[0]:.4f})", f"{levels.score():.3f}"]
    verdicts = [_verdict(levels)]
    if len(pairs.missed):
        verdicts.append(_verdict(pairs))
        low, high = pairs.limits()
        thirds = " ".join(f"{pair_points(bounds, t).coverage():.2f}" for t in range(3))
        expected = np.median(np.concatenate([b.expected for b in bounds])[:, -1])
        cells += [f"{pairs.coverage():.2f} ({low:.2f}-{high:.2f})", thirds]
        cells += [f"{np.median(pairs.width[:, -1]):.4f}, {expected:.4f} ({before[1]:.4f})"]
        cells += [f"{pairs.score():.3f}"]
    cells += ["; ".join(verdicts)]
    return "| " + " | ".join(cells) + " |"


NEAR = ("mixtures", "size", "steps")
FAR = ("10-20k steps", "two sizes", "1B")
HEADER = """
Coverage of 90 % intervals of one run, all validation domains and the overall loss. In brackets the
coverage's own 90 % interval (mixtures resampled), or the half-width of the former rule without its
bootstrap.

| predicted | pipeline | mixtures | levels | overall | half-width, overall (before) | score \
| differences | near, middle, far third | half-width of one run, of expected losses (before) \
| score | levels; differences |
|---|---|---|---|---|---|---|---|---|---|---|---|"""

MIN_JUDGED = 20
"""Mixtures from which a row has a bar: .90 inside the coverage's own interval."""


def _verdict(points: Held) -> str:
    """Say whether the level is inside the coverage's own interval."""
    number = len(np.unique(np.concatenate(points.mixtures)))
    if number < MIN_JUDGED:
        return "no bar"
    low, high = points.limits()
    return "holds" if low <= LEVEL <= high else "too wide" if low > LEVEL else "too narrow"


def coverage_table(bounds: Sequence[Bounds]) -> str:
    """Return the table of coverage: each swarm and kind, and near cells together."""
    lines = [HEADER]
    for kind in (*NEAR, *FAR):
        for swarm in SWARMS:
            row = [b for b in bounds if (b.cell.swarm, b.cell.kind) == (swarm, kind)]
            if row:
                lines.append(coverage_row(f"{swarm}: {kind}", row))
    lines.append(coverage_row("all near", [b for b in bounds if b.cell.kind in NEAR]))
    lines.append(coverage_row("all far", [b for b in bounds if b.cell.kind in FAR]))
    return "\n".join(lines)


def choice_table(swarms: Sequence[SwarmFolds]) -> str:
    """Return which pipeline is chosen for 1B and 100k steps, with and without the late runs."""
    lines = [
        "\nThe pipeline chosen; expected error of the overall loss at the target, nats.\n",
        "| swarm | target | folds | nested | joint | chosen |\n|---|---|---|---|---|---|",
    ]
    for each in swarms:
        usual = [p for p in each.folds.found if not p.fold.name.startswith("runs that go on")]
        short = FoldPredictions(tuple(usual), each.folds.failed)
        for target, (targets, reach) in each.targets.items():
            for label, folds in (("all", each.folds), ("nothing beyond 30k steps", short)):
                choice = choose_pipeline(folds, targets, reach, swarm=each.swarm)
                expected = [f"{choice.expected.get(n, np.nan):.4f}" for n in ("nested", "joint")]
                cells = [each.swarm, target, label, *expected, choice.name]
                lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def target_table(bounds: Sequence[Bounds]) -> str:
    """Return RedPajama's two mixtures at 1B and 100k steps, and their difference, overall."""
    found = next(b for b in bounds if b.cell.kind == "1B" and b.cell.step == 100_000)
    cell, names = found.cell, found.cell.mixtures.tolist()
    predicted = cell.predicted[found.choice.name][:, -1]
    rows = [
        (name, predicted[i], cell.observed[i, -1], found.levels[i, -1])
        for i, name in enumerate(names)
    ]
    (i,), (j,) = found.pairs
    gain = predicted[i] - predicted[j], cell.observed[i, -1] - cell.observed[j, -1]
    rows.append((f"{names[i]} minus {names[j]}", *gain, found.differences[0, -1]))
    lines = [
        f"\nRedPajama, 1B at 100k steps, {found.choice.name}; intervals of one run.\n",
        "| | predicted | observed | error | half-width | inside |\n|---|---|---|---|---|---|",
    ]
    for name, value, observed, width in rows:
        inside = "yes" if abs(value - observed) <= width else "no"
        lines.append(
            f"| {name} | {value:.4f} | {observed:.4f} | {value - observed:+.4f} | {width:.4f} | "
            f"{inside} |"
        )
    return "\n".join(lines)


BEGIN, END = "<!-- calibration: begin -->", "<!-- calibration: end -->"
"""The marks in docs/measurements.md. The text between them is replaced."""


def write_tables(page: Path, tables: str) -> None:
    """Put the tables into a page between the two comments."""
    before, rest = page.read_text().split(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{tables.strip()}\n\n{END}{rest.split(END)[1]}")


def main() -> None:
    """Write the tables into docs/measurements.md, and print them."""
    published = Path(os.environ["MIXLAWS_PUBLISHED"])
    swarms = [read_swarm(published, name) for name in SWARMS]
    with ProcessPoolExecutor(NUM_PROCESSES) as pool:
        folds = list(pool.map(fit_folds, swarms))
    if "--pooled" in sys.argv:
        print(pooled_table(folds))
        return
    planted = planted_table()
    plans = [p for swarm, each in zip(swarms, folds, strict=True) for p in plan_cells(swarm, each)]
    with ProcessPoolExecutor(NUM_PROCESSES) as pool:
        bounds = list(pool.map(bound_cell, plans))
    tables = [choice_table(folds), target_table(bounds), coverage_table(bounds), planted]
    write_tables(ROOT / "docs/measurements.md", "\n".join(tables))
    print("\n".join(tables))


def pooled_table(swarms: Sequence[SwarmFolds]) -> str:
    """Return the rows of scoring/pooled_errors.py."""
    return "\n".join(
        f"{what} {name} {each.swarm}: {shapes_of(each.folds.of(name), differences=differences)}"
        for what, differences in (("levels", False), ("differences", True))
        for name in ("nested", "joint")
        for each in swarms
    )


if __name__ == "__main__":
    main()
