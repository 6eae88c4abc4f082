"""Inner forward folds: the three choices of a joint law, made on the training side only.

Each fold trains on the smaller, earlier or other part of the observations and is scored where the
target lies seen from there: at the largest size, at later steps, at mixtures never seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mixlaws.errors import FitError
from mixlaws.laws.joint.fit import (
    DEFAULT_FORMS,
    JointSettings,
    after_early_cut,
    check_joint,
    fit_joint_ensemble,
    typical_tokens,
)
from mixlaws.laws.joint.law import distinct_mixtures, match_mixtures
from mixlaws.laws.observations import Observations

EARLY_CUTS = (0.3, 0.0, 0.2, 0.4)
NO_CUT = (
    f"no early cut of {', '.join(f'{cut:g}' for cut in EARLY_CUTS)} leaves enough sizes and "
    "checkpoints for the inner folds"
)
MIXTURE_FORMS = {"both": DEFAULT_FORMS, "additive": ("F1", "F3"), "sqrt": ("F6", "F7")}
NUM_MIXTURE_GROUPS = 4
MARGIN = 0.1
"""An option replaces the first of its list only if its mean error is lower by this part.

On RedPajama, drawing other groups of held-out mixtures moves the mean error of one and the same
option by +-6 %.
"""

FIRST_HALF = 0.55  # of a typical run; with the last part it leaves a gap to extrapolate over
LAST_PART = 0.7
BEYOND = 1.2  # of a typical run: checkpoints of the few runs that went on


@dataclass(frozen=True, eq=False)
class Fold:
    """One split of the observations."""

    name: str
    train: np.ndarray
    """(n,) mask."""
    validate: np.ndarray
    """(n,) mask, disjoint from `train`."""


@dataclass(frozen=True)
class FoldScore:
    """The errors of one option on one fold, overall loss, predicted minus observed, nats."""

    choice: str
    """early cut | schedule | mixture form."""
    option: str
    fold: str
    num_rows: int
    mae: float
    bias: float
    rms: float
    rms_difference: float
    """Standard deviation of the errors: what is left of them in differences of mixtures."""


@dataclass(frozen=True)
class JointChoice:
    """What the folds chose."""

    settings: JointSettings
    forms: tuple[str, ...]


def choose_joint(
    observations: Observations,
    *,
    weights: np.ndarray | None = None,
    settings: JointSettings | None = None,
) -> tuple[JointChoice, list[FoldScore]]:
    """Choose early cut, schedule term and mixture form, in this order, by inner forward folds.

    `weights` (V,) make the overall loss (default: the mean of the domains). An option is scored by
    its mean over the folds of the mean absolute error; the first of each list is kept unless
    another is better by `MARGIN`. Returns the choice and every score. Raises FitError when the
    observations allow no fold.
    """
    settings = settings or JointSettings()
    num_domains = observations.losses.shape[1]
    weights = np.full(num_domains, 1 / num_domains) if weights is None else weights
    trial = _Trial(observations, weights, list(forward_folds(observations)))
    cuts = {f"{cut:g}": replace(settings, early_cut=cut) for cut in EARLY_CUTS}
    settings = cuts[trial.choose("early cut", cuts)]
    known = bool((observations.annealing > 0).any())
    # Without annealing in the data the two are one law: the simpler one then comes first.
    order = (True, False) if known else (False,)
    schedules = {"on" if on else "off": replace(settings, schedule=on) for on in order}
    settings = schedules[trial.choose("schedule", schedules)]
    form = trial.choose_form(settings)
    return JointChoice(settings, MIXTURE_FORMS[form]), trial.scores


def usable_cuts(observations: Observations) -> list[float]:
    """Return the early cuts that leave every fold enough rows, from which `choose_joint` chooses.

    No loss is looked at, so the cuts are known before anything is trained.
    """
    folds = list(forward_folds(observations))
    return [cut for cut in EARLY_CUTS if _leaves_enough(observations, folds, cut)]


def _leaves_enough(observations: Observations, folds: Sequence[Fold], early_cut: float) -> bool:
    kept = after_early_cut(observations, early_cut)
    try:
        for fold in folds:
            check_joint(observations.select(fold.train & kept))
    except FitError:
        return False
    return True


def forward_folds(observations: Observations) -> Iterator[Fold]:
    """Yield the folds that the observations allow, those with held-out mixtures always."""
    part = observations.tokens / typical_tokens(observations)
    largest = observations.compute_params == observations.compute_params.max()
    usual, late, first = part < BEYOND, (part >= LAST_PART) & (part < BEYOND), part <= FIRST_HALF
    yield Fold("later steps", first, late)
    if not usual.all():
        yield Fold("far later steps", usual, ~usual)
        beyond = observations.compute_params == observations.compute_params[~usual].max()
        if not usual[~beyond].all():
            yield Fold("far later steps, larger size", usual | ~beyond, ~usual & beyond)
    smaller = ~largest
    if len(np.unique(observations.compute_params)) > 2:
        yield Fold("larger size", smaller & usual, largest & late)
        yield Fold("larger size, later steps", smaller & first, largest & late)
    else:
        smaller = np.ones(len(observations), dtype=bool)
    at_largest = distinct_mixtures(observations.proportions[largest & late])[0]
    group = _groups(observations.proportions, at_largest)
    for number in range(NUM_MIXTURE_GROUPS):
        held_out = group == number
        if (held_out & largest & late).any():
            train = smaller & usual & ~held_out
            yield Fold(f"held-out mixtures {number + 1}", train, largest & late & held_out)


def _groups(proportions: np.ndarray, mixtures: np.ndarray) -> np.ndarray:
    """Return (n,) the group of each row's mixture: every fourth in order of its largest shares.

    Sorting by values and not by columns makes the groups the same in any order of domains.
    """
    order = np.lexsort(np.sort(mixtures, axis=1).T)
    group = np.empty(len(mixtures), dtype=int)
    group[order] = np.arange(len(mixtures)) % NUM_MIXTURE_GROUPS
    index = match_mixtures(proportions, mixtures)
    return np.where(index >= 0, group[index], -1)


class _Trial:
    """The errors of every option tried, kept so that equal fits are made once."""

    def __init__(self, observations: Observations, weights: np.ndarray, folds: list[Fold]):
        self.observations, self.weights, self.folds = observations, weights, folds
        self.scores: list[FoldScore] = []
        self._errors: dict[tuple[bytes, bool], dict[str, np.ndarray]] = {}

    def choose(self, choice: str, options: dict[str, JointSettings]) -> str:
        """Score options with the default forms and return the chosen one's name."""
        means = {}
        for option, settings in options.items():
            try:
                errors = self._errors_of(settings)
            except FitError:
                continue  # a cut that leaves a fold without enough rows cannot be chosen
            means[option] = self._record(choice, option, errors, DEFAULT_FORMS)
        if not means:
            raise FitError(
                f"the settings of the joint laws cannot be chosen: {NO_CUT}. Use the nested "
                "pipeline, or observe more"
            )
        return _least(means)

    def choose_form(self, settings: JointSettings) -> str:
        """Score the mixture forms under the chosen settings and return the chosen one's name."""
        errors = self._errors_of(settings)
        return _least(
            {
                name: self._record("mixture form", name, errors, forms)
                for name, forms in MIXTURE_FORMS.items()
            }
        )

    def _errors_of(self, settings: JointSettings) -> dict[str, np.ndarray]:
        """Return per fold the errors (forms, rows) of the overall loss."""
        kept = after_early_cut(self.observations, settings.early_cut)
        key = (kept.tobytes(), settings.schedule)
        if key not in self._errors:
            uncut = replace(settings, early_cut=0.0)
            self._errors[key] = {
                fold.name: self._fold_errors(fold, kept, uncut) for fold in self.folds
            }
        return self._errors[key]

    def _fold_errors(self, fold: Fold, kept: np.ndarray, settings: JointSettings) -> np.ndarray:
        train = self.observations.select(fold.train & kept)
        validate = self.observations.select(fold.validate)
        ensemble, _ = fit_joint_ensemble(train, settings=settings, two_tier=False)
        return np.stack(
            [(law.predict(validate) - validate.losses) @ self.weights for law in ensemble.laws]
        )

    def _record(
        self, choice: str, option: str, errors: dict[str, np.ndarray], forms: Sequence[str]
    ) -> float:
        """Append one score a fold and return the mean error: held-out mixtures count as one."""
        members = [DEFAULT_FORMS.index(form) for form in forms]
        scores = [
            _score((choice, option, fold), errors[fold][members].mean(axis=0)) for fold in errors
        ]
        self.scores.extend(scores)
        held_out = [score.mae for score in scores if score.fold.startswith("held-out")]
        others = [score.mae for score in scores if not score.fold.startswith("held-out")]
        return float(np.mean([*others, np.mean(held_out)]))


def _score(labels: tuple[str, str, str], errors: np.ndarray) -> FoldScore:
    return FoldScore(
        *labels,
        num_rows=len(errors),
        mae=float(np.abs(errors).mean()),
        bias=float(errors.mean()),
        rms=float(np.sqrt((errors**2).mean())),
        rms_difference=float(errors.std()),
    )


def _least(means: dict[str, float]) -> str:
    first, best = next(iter(means)), min(means, key=lambda name: means[name])
    return best if means[best] < (1 - MARGIN) * means[first] else first
