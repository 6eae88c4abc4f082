"""Fit L(N, D) to the runs of one mixture, and to noisy copies of them: a bootstrap over runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mixlaws.errors import FitError
from mixlaws.laws.chinchilla import (
    NUM_PARAMETERS,
    ChinchillaLaw,
    ChinchillaPriors,
    fit_chinchilla,
)
from mixlaws.laws.joint.fit import JointSettings, after_early_cut
from mixlaws.laws.observations import Observations, Target

MIN_SIZES = 3
"""With two sizes, E, A and alpha cannot be told apart."""
MIN_TOKENS = 3
"""Numbers of tokens at which losses must have been measured, for E, B and beta."""
ANNEALING = JointSettings().annealing
"""Nats that full annealing gains (median, sd of the log), as the joint laws assume."""
LEAST_NOISE = 1e-4
"""Least noise of a loss that priors are weighed against, nats."""
WEAK = ChinchillaPriors(noise=1e-3)
"""Priors of the fits that the noise is estimated from."""


@dataclass(frozen=True, eq=False)
class Runs:
    """The overall losses of several runs, one row per checkpoint."""

    mixture: np.ndarray
    """(n,) mixture id."""
    size: np.ndarray
    """(n,) size label."""
    seed: np.ndarray
    """(n,)."""
    params: np.ndarray
    """(n,) parameters that the FLOPs are counted by."""
    tokens: np.ndarray
    """(n,) effective tokens."""
    annealing: np.ndarray
    """(n,) annealing depth, 0 to 1."""
    losses: np.ndarray
    """(n,) overall loss, nats."""

    @classmethod
    def of(
        cls, observations: Observations, overall: np.ndarray, *, counted: bool, early_cut: float
    ) -> Runs:
        """Return the runs after the early cut; `overall` are the overall losses (n,).

        `counted` takes FLOPs per token / 6 as the parameters instead of N.
        """
        kept = after_early_cut(observations, early_cut)
        seen = observations.select(kept)
        params = seen.compute_params if counted else seen.num_params
        return cls(
            *(seen.mixture, seen.size, seen.seed, params),
            *(seen.effective_tokens, seen.annealing, overall[kept]),
        )

    def select(self, rows: np.ndarray) -> Runs:
        """Return the rows of a boolean mask."""
        return Runs(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def run_masks(self) -> list[np.ndarray]:
        """Return the mask (n,) of each run, in order of size, then seed."""
        keys = sorted(
            set(zip(self.params.tolist(), self.size.tolist(), self.seed.tolist(), strict=True))
        )
        return [(self.size == size) & (self.seed == seed) for _, size, seed in keys]

    def unannealed(self, gain: float | np.ndarray) -> np.ndarray:
        """Return the losses (..., n) as they would be without annealing, which gains `gain`."""
        return self.losses + np.multiply.outer(gain, self.annealing)


@dataclass(frozen=True, eq=False)
class SizeTokenFit:
    """L(N, D) of one mixture, for runs whose schedule ends as the target's does."""

    mixture: str
    law: ChinchillaLaw
    """Of one curve: the overall loss."""
    replicates: ChinchillaLaw
    """Of as many curves as there are replicates."""
    runs: Runs
    """What the law was fitted to."""
    num_pooled: int
    """Runs whose errors the bootstrap draws from."""


def usable_mixtures(runs: Runs) -> list[str]:
    """Return the mixtures with enough sizes, tokens and losses for the law's parameters."""
    return [name for name in dict.fromkeys(runs.mixture.tolist()) if not _lacks(runs, name)]


def _lacks(runs: Runs, mixture: str) -> str:
    """Say what a mixture lacks for a fit; empty if nothing."""
    of_mixture = runs.select(runs.mixture == mixture)
    sizes, tokens = len(np.unique(of_mixture.params)), len(np.unique(of_mixture.tokens))
    if sizes < MIN_SIZES:
        return f"{sizes} sizes instead of at least {MIN_SIZES}"
    if tokens < MIN_TOKENS:
        return f"losses at {tokens} numbers of tokens instead of at least {MIN_TOKENS}"
    few = len(of_mixture.losses) <= NUM_PARAMETERS
    return f"{len(of_mixture.losses)} losses for {NUM_PARAMETERS} parameters" if few else ""


def fit_size_tokens(
    runs: Runs, mixture: str, target: Target, *, replicates: int, seed: int
) -> SizeTokenFit:
    """Fit the law to one mixture's runs and to `replicates` copies with other errors.

    A copy adds to the fitted losses of each run the errors of a run of that size, drawn from all
    mixtures, with a random sign; it also draws the means of the priors and the gain of annealing,
    so that what the runs leave open stays open. The errors are those of `run_errors`. The law is
    fitted in effective tokens and returned in tokens of runs that end their schedule as `target`.

    Raises FitError if the mixture lacks sizes, tokens or losses, and says which mixtures do not.
    """
    if words := _lacks(runs, mixture):
        usable = usable_mixtures(runs)
        others = f"Choose one of {', '.join(usable)}" if usable else "Train more sizes"
        raise FitError(
            f"L(N, D) cannot be fitted to the mixture {mixture}: it has {words}. {others}"
        )
    own = runs.select(runs.mixture == mixture)
    pool = run_errors(runs, WEAK)
    priors = replace(WEAK, noise=_root_mean_square(pool))
    losses = own.unannealed(ANNEALING[0])
    law, _ = fit_chinchilla(own.params, own.tokens, losses[None], priors=priors)
    generator = np.random.default_rng(seed)
    errors = np.stack([_draw_errors(own, pool, generator) for _ in range(replicates)])
    gain = ANNEALING[0] * np.exp(generator.normal(0, ANNEALING[1], replicates))
    shift = (gain - ANNEALING[0])[:, None] * own.annealing
    fitted = law.predict(own.params, own.tokens)
    drawn = _drawn_priors(priors, replicates, generator)
    copies, _ = fit_chinchilla(own.params, own.tokens, fitted + errors + shift, priors=drawn)
    return SizeTokenFit(
        mixture,
        _at_end(law, ANNEALING[0], target),
        _at_end(copies, gain, target),
        own,
        len(pool),
    )


def _root_mean_square(pool: Sequence[RunError]) -> float:
    """Return the size of the errors, nats; equal losses have a little noise too."""
    squares = np.concatenate([each.errors**2 for each in pool])
    return max(float(np.sqrt(squares.mean())), LEAST_NOISE)


def _drawn_priors(
    priors: ChinchillaPriors, count: int, generator: np.random.Generator
) -> ChinchillaPriors:
    """Return priors whose means are drawn from the priors themselves, one for each copy."""
    factors = np.exp(priors.exponent_sd * generator.normal(size=(2, count)))
    irreducible = generator.normal(priors.irreducible, priors.irreducible_sd, count)
    return replace(
        priors,
        size_exponent=priors.size_exponent * factors[0],
        token_exponent=priors.token_exponent * factors[1],
        irreducible=np.clip(irreducible, 0.0, 1.0),
    )


def _at_end(law: ChinchillaLaw, gain: float | np.ndarray, target: Target) -> ChinchillaLaw:
    """Return a law in effective tokens as a law in tokens, annealed as the target's end."""
    share = target.effective_tokens / target.tokens
    return replace(
        law,
        E=law.E - gain * target.annealing,
        reference_tokens=law.reference_tokens / share,
    )


@dataclass(frozen=True, eq=False)
class RunError:
    """The errors of one run over its training."""

    params: float
    log_tokens: np.ndarray
    """(P,) increasing."""
    errors: np.ndarray
    """(P,) nats."""

    def at(self, tokens: np.ndarray) -> np.ndarray:
        """Return the errors at other tokens: interpolated, and constant beyond the ends."""
        return np.asarray(np.interp(np.log(tokens), self.log_tokens, self.errors))


def run_errors(runs: Runs, priors: ChinchillaPriors) -> list[RunError]:
    """Return the errors of every run of the mixtures that the law can be fitted to.

    A fit takes up part of each run's noise, and a fit without the run misses it by more than its
    noise. An error here is the geometric mean of both, with the sign of the residual. For one run
    and a linear law that has exactly the variance of the noise (HC2: MacKinnon and White 1985).
    """
    found = []
    for mixture in usable_mixtures(runs):
        own = runs.select(runs.mixture == mixture)
        masks = own.run_masks()
        losses = own.unannealed(ANNEALING[0])
        curves = np.stack([losses, *(np.where(mask, np.nan, losses) for mask in masks)])
        enough = _have_enough(curves)
        laws, _ = fit_chinchilla(own.params, own.tokens, curves[enough], priors=priors)
        predicted = _predict_all(laws, own)
        residual = predicted[0] - losses
        kept = [mask for mask, fits in zip(masks, enough[1:], strict=True) if fits]
        for mask, left_out in zip(kept, predicted[1:], strict=True):
            error = np.sqrt(np.abs(residual * (left_out - losses))) * np.sign(residual)
            order = np.flatnonzero(mask)[np.argsort(own.tokens[mask])]
            found.append(
                RunError(float(own.params[order[0]]), np.log(own.tokens[order]), error[order])
            )
    return found


def _have_enough(curves: np.ndarray) -> np.ndarray:
    return np.isfinite(curves).sum(axis=1) >= NUM_PARAMETERS


def _predict_all(laws: ChinchillaLaw, runs: Runs) -> np.ndarray:
    """Return what each of C laws predicts at each of n points, (C, n)."""
    parts = zip(runs.params, runs.tokens, strict=True)
    return np.stack([laws.predict(params, tokens) for params, tokens in parts], axis=1)


def _draw_errors(own: Runs, pool: Sequence[RunError], generator: np.random.Generator) -> np.ndarray:
    """Return errors (n,) for a mixture's losses: for each run those of a run of its size."""
    errors = np.zeros(len(own.losses))
    for mask in own.run_masks():
        size = own.params[mask][0]
        distance = np.array([abs(np.log(each.params / size)) for each in pool])
        alike = np.flatnonzero(distance <= distance.min() + 1e-9)
        drawn = pool[int(generator.choice(alike))]
        errors[mask] = generator.choice((-1.0, 1.0)) * drawn.at(own.tokens[mask])
    return errors
