"""Joint laws: one law in (N, D, r) for each validation domain, all domains fitted as one batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mixlaws.errors import ConfigError
from mixlaws.laws.joint.forms import (
    FORMS,
    Form,
    Layout,
    Points,
    evaluate_terms,
    mixture_gradient,
    mixture_loss,
    slope_matrix,
)
from mixlaws.laws.observations import Observations, Target

SAME_MIXTURE_DECIMALS = 9


@dataclass(frozen=True, eq=False)
class JointLaw:
    """A fitted joint law (`forms.py` has the formula), one row of theta per validation domain.

    Only sums of terms are identifiable: c trades off against the level of M within the prior, and
    against the asymptotes of P and Q. Predictions within the observed range of sizes and tokens do
    not depend on this division; predictions far outside do.
    """

    form: str
    """A name in FORMS."""
    domains: tuple[str, ...]
    validation_domains: tuple[str, ...]
    theta: np.ndarray
    """(V, p) parameters in the order of the layout."""
    reference_params: float
    """N0."""
    reference_tokens: float
    """D0."""
    schedule: bool
    """Whether the law uses effective tokens and the annealing depth, or plain tokens."""

    @property
    def layout(self) -> Layout:
        """Return the positions of the parameters in theta."""
        return Layout(FORMS[self.form], len(self.domains), schedule=self.schedule)

    def predict(
        self, where: Observations | Target, proportions: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the losses (n, V) at sizes, tokens and proportions (n, K).

        Sizes and tokens come from `where`: observations give them row by row, a target gives one
        for all rows. `proportions` default to those of the observations.
        """
        points = make_points(self, where, rows_of(where, proportions))
        return evaluate_terms(self.layout, self.theta, points).loss.T

    def at(self, target: Target) -> JointAtTarget:
        """Return the mixing law at a target: smooth in r."""
        layout, theta = self.layout, self.theta
        log_size = np.log(target.compute_params / self.reference_params)
        tokens = target.effective_tokens if self.schedule else target.tokens
        log_tokens = np.log(tokens / self.reference_tokens)
        a, b = (np.exp(layout.get(theta, name)) for name in ("ln_a", "ln_b"))
        log_q = -layout.scalar(theta, "d") * log_size - b * log_tokens
        annealed = np.exp(layout.scalar(theta, "ln_C", -np.inf)) * target.annealing
        return JointAtTarget(
            law=self,
            constant=layout.get(theta, "c") - annealed,
            log_size_term=layout.get(theta, "u") - a * log_size,
            log_token_term=layout.get(theta, "v") + log_q,
            coupling=np.exp(layout.scalar(theta, "ln_k")),
        )

    def parameters(self) -> dict[str, np.ndarray]:
        """Return parameters by name, (V,) or (V, K), with exponents instead of their logs."""
        layout = self.layout
        natural = {}
        for name in layout.slices:
            values = layout.get(self.theta, name)
            if name.startswith("ln_"):
                name, values = name.removeprefix("ln_"), np.exp(values)
            natural[name] = values[:, 0] if values.shape[1] == 1 else values
        return natural

    def exact_parameters(self) -> dict[str, np.ndarray]:
        """Return the parameters as fitted, (V,) or (V, K); `ln_a` is the logarithm of a.

        They include N0 and D0 as `reference_params` and `reference_tokens`.
        """
        layout, num = self.layout, len(self.theta)
        exact = {"reference_params": np.full(num, self.reference_params)}
        exact |= {"reference_tokens": np.full(num, self.reference_tokens)}
        for name in layout.slices:
            values = layout.get(self.theta, name)
            exact[name] = values[:, 0] if values.shape[1] == 1 else values
        return exact

    @classmethod
    def from_exact_parameters(
        cls,
        form: str,
        parameters: Mapping[str, np.ndarray],
        domains: tuple[str, ...],
        validation_domains: tuple[str, ...],
    ) -> JointLaw:
        """Return the law with these `exact_parameters`."""
        schedule = "ln_C" in parameters
        layout = Layout(find_form(form), len(domains), schedule=schedule)
        parts = [parameters[name].reshape(len(validation_domains), -1) for name in layout.slices]
        return cls(
            form=form,
            domains=domains,
            validation_domains=validation_domains,
            theta=np.concatenate(parts, axis=1),
            reference_params=float(parameters["reference_params"][0]),
            reference_tokens=float(parameters["reference_tokens"][0]),
            schedule=schedule,
        )


@dataclass(frozen=True, eq=False)
class JointAtTarget:
    """A joint law at one target: a mixing law, L_i(r) = constant + M(r) + (P(r) + Q(r))^k."""

    law: JointLaw
    constant: np.ndarray
    """(V, 1) c - C A."""
    log_size_term: np.ndarray
    """(V, K) or (V, 1) ln P by domain; its product with r is ln P(r)."""
    log_token_term: np.ndarray
    """(V, K) or (V, 1) ln Q by domain."""
    coupling: np.ndarray
    """(V, 1) k."""

    @property
    def name(self) -> str:
        """Return joint-<form>."""
        return f"joint-{self.law.form}"

    @property
    def convex(self) -> bool:
        """Return whether the loss of every validation domain is convex in r.

        1 / sum C r^g is convex for g <= 1, and so is a positive power of a sum of exponentials of
        linear functions; exp(t.sqrt r) is convex if no t is positive.
        """
        if FORMS[self.law.form].mixture != "sqrt":
            return True
        return bool((self.law.layout.get(self.law.theta, "t") <= 0).all())

    def predict(self, proportions: np.ndarray) -> np.ndarray:
        """Return the losses (m, V) at proportions (m, K)."""
        layout, theta = self.law.layout, self.law.theta
        size_term, token_term = self._terms(proportions)
        coupled = (size_term + token_term) ** self.coupling
        return (self.constant + mixture_loss(layout, theta, proportions) + coupled).T

    def gradient(self, proportions: np.ndarray) -> np.ndarray:
        """Return d loss / d r (m, V, K).

        A zero share counts as `SMALLEST_SHARE`: r^g has no finite slope at 0.
        """
        layout, theta = self.law.layout, self.law.theta
        size_term, token_term = self._terms(proportions)
        outer = self.coupling * (size_term + token_term) ** (self.coupling - 1)
        # If the slopes do not differ by domain, the two terms do not depend on r.
        sloped = float(FORMS[self.law.form].slopes)
        by_share = (
            (outer * size_term)[..., None] * self.log_size_term[:, None]
            + (outer * token_term)[..., None] * self.log_token_term[:, None]
        ) * sloped
        return (mixture_gradient(layout, theta, proportions) + by_share).swapaxes(0, 1)

    def _terms(self, proportions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        slopes = slope_matrix(FORMS[self.law.form], np.asarray(proportions, dtype=float)).T
        return np.exp(self.log_size_term @ slopes), np.exp(self.log_token_term @ slopes)

    def parameters(self) -> dict[str, np.ndarray]:
        """Return the joint law's parameters by name."""
        return self.law.parameters()


def find_form(name: str) -> Form:
    """Return a form by name; raise ConfigError listing those that exist."""
    if name not in FORMS:
        raise ConfigError(f"the joint law has no form {name!r}. Choose one of {', '.join(FORMS)}")
    return FORMS[name]


def rows_of(where: Observations | Target, proportions: np.ndarray | None) -> np.ndarray:
    """Return the proportions (n, K) to predict at; raise ConfigError if a target lacks them."""
    if proportions is not None:
        return np.asarray(proportions, dtype=float)
    if isinstance(where, Target):
        raise ConfigError("a prediction at a target has no proportions. Pass proportions (n, K)")
    return where.proportions


def make_points(law: JointLaw, where: Observations | Target, proportions: np.ndarray) -> Points:
    """Convert sizes, tokens and proportions to points in the law's scaled variables."""
    mixtures, index = distinct_mixtures(proportions)
    tokens = where.effective_tokens if law.schedule else where.tokens
    shape = (len(proportions),)
    return Points(
        proportions=mixtures,
        mixture=index,
        log_size=np.broadcast_to(np.log(where.compute_params / law.reference_params), shape),
        log_tokens=np.broadcast_to(np.log(tokens / law.reference_tokens), shape),
        annealing=np.broadcast_to(where.annealing, shape),
    )


def distinct_mixtures(proportions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct rows (q, K) and the index (n,) of each row among them."""
    rounded = np.round(proportions, SAME_MIXTURE_DECIMALS)
    _, first, index = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    return proportions[first], index.ravel()


def match_mixtures(proportions: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the index (n,) of each row (n, K) among the known mixtures (q, K), or -1."""
    places = {_key(row): i for i, row in enumerate(known)}
    return np.array([places.get(_key(row), -1) for row in proportions], dtype=int)


def _key(row: np.ndarray) -> bytes:
    # Adding zero turns -0.0 into 0.0; their bytes differ.
    return bytes((np.round(row, SAME_MIXTURE_DECIMALS) + 0.0).tobytes())
