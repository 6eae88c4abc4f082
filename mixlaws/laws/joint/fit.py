"""Fit joint laws by bounded Levenberg-Marquardt with priors, from one deterministic start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mixlaws.errors import FitError
from mixlaws.laws.joint.forms import (
    EXPONENT_BOUNDS,
    SHARE_EXPONENT_BOUNDS,
    Layout,
    evaluate_terms,
    jacobian,
)
from mixlaws.laws.joint.law import (
    JointEnsemble,
    JointLaw,
    distinct_mixtures,
    find_form,
    make_points,
)
from mixlaws.laws.least_squares import Bounds, Fit, Prior, minimise, names_at_bound
from mixlaws.laws.observations import Observations

WIDE = 30.0  # limit of logs and slopes that keeps exp finite; with priors it is never reached
DEFAULT_FORMS = ("F1", "F3", "F6", "F7")
MIN_DISTINCT = 2  # sizes, numbers of tokens and mixtures, each


@dataclass(frozen=True)
class JointSettings:
    """Settings of a joint fit, and its priors.

    A prior is the (mean, sd) of a normal distribution; for positive parameters, that of the log.
    Priors are weighed as if there were `num_independent` observations with noise `noise`, because
    checkpoints of one run, and runs with the same data order, share noise. The means of a, b, k, d
    and C come from earlier work on three public data sets. The means of g and of b with k, and the
    sds of C and of the slopes, were chosen on inner folds of RedPajama and 5Mix (docs/method.md).
    """

    early_cut: float = 0.3
    """Rows before this fraction of a run (its median length at that size) are left out."""
    schedule: bool = True
    """Whether to use effective tokens and the annealing depth, or plain tokens."""
    random_effects: bool = False
    """Whether each mixture seen at several sizes gets its own offset and factors of P and Q."""
    noise: float = 0.01
    """Standard deviation of a checkpoint's loss, nats."""
    num_independent: float = 30.0
    irreducible: tuple[float, float] = (1.0, 1.0)
    """c, nats, not negative."""
    size_exponent: tuple[float, float] = (0.2, 0.25)
    """a: its median, and the sd of ln a."""
    token_exponent: tuple[float, float] = (0.45, 0.25)
    """b."""
    coupled_size_exponent: tuple[float, float] = (0.4, 0.25)
    """a, if the form has k."""
    coupled_token_exponent: tuple[float, float] = (0.7, 0.25)
    """b, if the form has k."""
    coupling: tuple[float, float] = (0.5, 0.3)
    """k."""
    interaction: tuple[float, float] = (0.0, 0.1)
    """d."""
    annealing: tuple[float, float] = (0.06, 0.25)
    """C: nats gained by full annealing."""
    share_exponent: tuple[float, float] = (0.8, 0.3)
    """g."""
    share_sd: float = 1.0
    """sd of m about its start, and sd of the contrasts of t."""
    slope_sd: float = 0.25
    """sd of the differences of u and v between domains."""
    offset_sd: float = 0.02
    """sd of the random offset of a mixture, nats."""
    factor_sd: float = 0.1
    """sd of the logs of a mixture's random factors of P and Q."""
    max_iterations: int = 400


def fit_joint(
    observations: Observations,
    *,
    form: str = "F1",
    settings: JointSettings | None = None,
    start: JointLaw | None = None,
) -> tuple[JointLaw, Fit]:
    """Fit one form to the losses of every validation domain; return the law and its evidence.

    `start`, a law of the same form and settings, warm-starts the fit (for bootstrap refits); the
    priors and scales still come from the data. Raises the FitError of `check_joint`.
    """
    settings = settings or JointSettings()
    kept = observations.select(after_early_cut(observations, settings.early_cut))
    check_joint(kept)
    blank = _blank_law(kept, form, settings)
    layout = blank.layout
    cold = _cold_start(layout, kept, settings)
    theta = cold if start is None else _warm_start(blank, cold, start)
    points = make_points(blank, kept, kept.proportions)
    prior, bounds = _prior(layout, cold, len(kept), settings), _bounds(layout)

    def evaluate(theta: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        terms = evaluate_terms(layout, theta, points)
        return terms.loss - kept.losses.T[rows], jacobian(layout, theta, points, terms)

    # The residuals are linear in c, the first parameter.
    theta, cost = minimise(
        evaluate, theta, prior, bounds, linear=0, max_iterations=settings.max_iterations
    )
    law = replace(blank, theta=theta)
    return law, Fit(
        residuals=law.predict(kept) - kept.losses,
        cost=cost,
        num_starts=1,
        num_agreeing=np.ones(len(theta), dtype=int),
        at_bound=names_at_bound(theta, bounds),
    )


def fit_joint_ensemble(
    observations: Observations,
    *,
    forms: Sequence[str] = DEFAULT_FORMS,
    settings: JointSettings | None = None,
    two_tier: bool = True,
    start: JointEnsemble | None = None,
) -> tuple[JointEnsemble, dict[str, Fit]]:
    """Fit several forms; with `two_tier`, fit each again with random effects for seen mixtures.

    Returns the ensemble, and by form the evidence of the fits without random effects.
    """
    plain = replace(settings or JointSettings(), random_effects=False)
    starts: Sequence[JointLaw | None] = start.laws if start else [None] * len(forms)
    fits = [
        fit_joint(observations, form=form, settings=plain, start=first)
        for form, first in zip(forms, starts, strict=True)
    ]
    laws = tuple(law for law, _ in fits)
    evidence = {form: fit for form, (_, fit) in zip(forms, fits, strict=True)}
    if not two_tier:
        return JointEnsemble(laws), evidence
    effects = replace(plain, random_effects=True)
    seen = [fit_joint(observations, form=law.form, settings=effects, start=law) for law in laws]
    return JointEnsemble(laws, tuple(law for law, _ in seen)), evidence


def after_early_cut(observations: Observations, early_cut: float) -> np.ndarray:
    """Return a mask (n,) of the rows with at least `early_cut` of their size's typical tokens."""
    return observations.tokens >= early_cut * typical_tokens(observations)


def typical_tokens(observations: Observations) -> np.ndarray:
    """Return for each row (n,) the median length, in tokens, of the runs of its size."""
    typical = np.zeros(len(observations))
    runs = np.stack([observations.mixture, observations.seed.astype(str)], axis=1)
    for size in np.unique(observations.size):
        rows = observations.size == size
        _, run = np.unique(runs[rows], axis=0, return_inverse=True)
        last = np.zeros(run.max() + 1)
        np.maximum.at(last, run.ravel(), observations.tokens[rows])
        typical[rows] = np.median(last)
    return typical


def check_joint(observations: Observations) -> None:
    """Raise FitError if the rows left by the early cut are too few; losses play no part."""
    counts = [len(np.unique(each)) for each in (observations.compute_params, observations.tokens)]
    counts.append(len(distinct_mixtures(observations.proportions)[0]))
    if min(counts) < MIN_DISTINCT:
        names = ("sizes", "token counts", "mixtures")
        found = ", ".join(f"{each} {name}" for each, name in zip(counts, names, strict=True))
        raise FitError(
            f"a joint law cannot be fitted to the {found} left after the early cut. It needs at "
            f"least {MIN_DISTINCT} of each. Use the nested pipeline, or add runs"
        )


def _blank_law(observations: Observations, form: str, settings: JointSettings) -> JointLaw:
    """Return a law without parameters, with its scales set by the observed sizes and tokens."""
    find_form(form)
    tokens = observations.effective_tokens if settings.schedule else observations.tokens
    sizes = np.unique(observations.compute_params)
    return JointLaw(
        form=form,
        domains=observations.domains,
        validation_domains=observations.validation_domains,
        theta=np.empty((len(observations.validation_domains), 0)),
        reference_params=float(np.exp(np.log(sizes).mean())),
        reference_tokens=float(np.median(tokens)),
        schedule=settings.schedule,
        effect_mixtures=_seen_mixtures(observations)
        if settings.random_effects
        else np.empty((0, len(observations.domains))),
    )


def _seen_mixtures(observations: Observations) -> np.ndarray:
    """Return the mixtures (q, K) that are observed at two sizes or more."""
    mixtures, index = distinct_mixtures(observations.proportions)
    num_sizes = [len(np.unique(observations.size[index == q])) for q in range(len(mixtures))]
    return mixtures[np.array(num_sizes) >= 2]


def _cold_start(layout: Layout, observations: Observations, settings: JointSettings) -> np.ndarray:
    """Return the start (V, p): half the least loss is c, the rest is divided among M, P and Q."""
    theta = np.zeros((observations.losses.shape[1], layout.num_params))
    c = 0.5 * observations.losses.min(axis=0)
    rest = (observations.losses.mean(axis=0) - c)[:, None]
    coupled = "ln_k" in layout
    k = settings.coupling[0] if coupled else 1.0
    centres = {
        "c": c[:, None],
        "u": np.log((rest / 2) ** (1 / k) / 2),
        "v": np.log((rest / 2) ** (1 / k) / 2),
        "ln_g": np.log(settings.share_exponent[0]),
        "ln_k": np.log(k),
        "ln_C": np.log(settings.annealing[0]),
        "d": settings.interaction[0],
    }
    size, token = _exponents(settings, coupled=coupled)
    centres |= {"ln_a": np.log(size[0]), "ln_b": np.log(token[0])}
    mixtures = distinct_mixtures(observations.proportions)[0]
    root = np.sqrt(mixtures).sum(axis=1).mean()
    powers = (mixtures ** settings.share_exponent[0]).sum(axis=1).mean()
    centres |= {"m": -np.log(rest / 2 * powers)}
    centres |= {"t": np.log(rest / 2) / (root if layout.form.mixture == "sqrt" else 1.0)}
    for name, part in layout.slices.items():
        theta[:, part] = centres.get(name, 0.0)
    return theta


def _exponents(
    settings: JointSettings, *, coupled: bool
) -> tuple[tuple[float, float], tuple[float, float]]:
    if coupled:
        return settings.coupled_size_exponent, settings.coupled_token_exponent
    return settings.size_exponent, settings.token_exponent


def _warm_start(blank: JointLaw, cold: np.ndarray, start: JointLaw) -> np.ndarray:
    """Return the parameters of an earlier law, converted to the scales of the blank law."""
    layout, old = blank.layout, start.layout
    same = start.form == blank.form and start.schedule == blank.schedule
    if not same or start.domains != blank.domains or len(start.theta) != len(cold):
        raise FitError(
            f"a fit of the form {blank.form} cannot start from a law of the form {start.form} with "
            f"{len(start.domains)} domains: their form, schedule or domains differ. Leave out the "
            "start"
        )
    theta = cold.copy()
    theta[:, : layout.num_fixed] = start.theta[:, : old.num_fixed]
    log_size = np.log(blank.reference_params / start.reference_params)
    log_tokens = np.log(blank.reference_tokens / start.reference_tokens)
    a, b = (np.exp(layout.get(theta, name)) for name in ("ln_a", "ln_b"))
    theta[:, layout.slices["u"]] -= a * log_size
    theta[:, layout.slices["v"]] -= layout.scalar(theta, "d") * log_size + b * log_tokens
    return theta


def _prior(layout: Layout, start: np.ndarray, num_rows: int, settings: JointSettings) -> Prior:
    """Return the prior in units of squared nats; the means of t, u and v have none."""
    size, token = _exponents(settings, coupled="ln_k" in layout)
    spreads = {
        "c": settings.irreducible[1],
        "m": settings.share_sd,
        "ln_g": settings.share_exponent[1],
        "ln_a": size[1],
        "ln_b": token[1],
        "d": settings.interaction[1],
        "ln_k": settings.coupling[1],
        "ln_C": settings.annealing[1],
        "delta": settings.offset_sd,
        "epsilon": settings.factor_sd,
        "zeta": settings.factor_sd,
    }
    contrasts = {"t": settings.share_sd, "u": settings.slope_sd, "v": settings.slope_sd}
    mean, precision = start.copy(), np.zeros((layout.num_params, layout.num_params))
    mean[:, layout.slices["c"]] = settings.irreducible[0]
    for name, part in layout.slices.items():
        width = part.stop - part.start
        if name in contrasts:
            precision[part, part] = (np.eye(width) - 1 / width) / contrasts[name] ** 2
        else:
            precision[part, part] = np.eye(width) / spreads[name] ** 2
    scale = settings.noise**2 * max(1.0, num_rows / settings.num_independent)
    return Prior(mean=mean, precision=scale * precision)


def _bounds(layout: Layout) -> Bounds:
    lower, upper = np.full(layout.num_params, -WIDE), np.full(layout.num_params, WIDE)
    limits = {name: np.log(EXPONENT_BOUNDS) for name in ("ln_a", "ln_b", "ln_k")}
    limits |= {"ln_g": np.log(SHARE_EXPONENT_BOUNDS), "c": np.array([0.0, np.inf])}
    limits |= {"d": np.array([-EXPONENT_BOUNDS[1], EXPONENT_BOUNDS[1]])}
    for name, part in layout.slices.items():
        if name in limits:
            lower[part], upper[part] = limits[name]
    return Bounds(lower=lower, upper=upper, names=layout.names())
