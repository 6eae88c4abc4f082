"""The forms of the joint law: their terms, parameters, priors and derivatives.

With n = N/N0 (FLOP-equivalent parameters), s = S/D0 (effective tokens) and A the annealing depth,
the loss of one validation domain is

    L(N, S, A, r) = c + M(r) + (P + Q)^k - C A
    P = exp(u.r) n^-a        Q = exp(v.r) n^-d s^-b
    M = 1 / sum_j exp(m_j) r_j^g_j  (additive)   exp(t.r)  (exponential)   exp(t.sqrt r)  (sqrt)

A form determines M, and which of d, k and the slopes u, v by domain the law has (`FORMS`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

SMALLEST_SHARE = 1e-9  # replaces 0 in the slope of r^g, which is infinite at 0 for g < 1
EXPONENT_BOUNDS = (0.03, 2.0)
SHARE_EXPONENT_BOUNDS = (0.05, 1.0)  # up to 1, because then 1 / sum C r^g is convex


@dataclass(frozen=True)
class Form:
    """The terms of a joint law."""

    mixture: Literal["additive", "exponential", "sqrt"]
    """The mixture term M."""
    slopes: bool = True
    """Whether u and v differ by domain. If not, P and Q are the same for every mixture."""
    interaction: bool = True
    """Whether there is an exponent d, so that the benefit of tokens depends on the size."""
    coupling: bool = False
    """Whether there is an exponent k (Kaplan et al., arXiv:2001.08361, equation 1.5), or k = 1."""


FORMS = {
    "F1": Form("additive"),
    "F3": Form("additive", coupling=True),
    "F6": Form("sqrt"),
    "F7": Form("sqrt", coupling=True),
    "add": Form("exponential", slopes=False, interaction=False),
    "joint": Form("exponential", interaction=False),
    "additive-add": Form("additive", slopes=False, interaction=False),
    "additive-joint": Form("additive", interaction=False),
}


@dataclass(frozen=True, eq=False)
class Points:
    """The n points at which a law is evaluated; each refers to its mixture by index."""

    proportions: np.ndarray
    """(q, K) the distinct mixtures."""
    mixture: np.ndarray
    """(n,) index of the mixture in `proportions`."""
    log_size: np.ndarray
    """(n,) ln N/N0."""
    log_tokens: np.ndarray
    """(n,) ln S/D0."""
    annealing: np.ndarray
    """(n,) A."""


class Layout:
    """The place of each named parameter in a parameter vector."""

    def __init__(self, form: Form, num_domains: int, *, schedule: bool):
        widths = {"c": 1}
        widths |= (
            {"m": num_domains, "ln_g": num_domains}
            if form.mixture == "additive"
            else {"t": num_domains}
        )
        num_slopes = num_domains if form.slopes else 1
        widths |= {"u": num_slopes, "ln_a": 1, "v": num_slopes, "ln_b": 1}
        widths |= {"d": 1} if form.interaction else {}
        widths |= {"ln_k": 1} if form.coupling else {}
        widths |= {"ln_C": 1} if schedule else {}
        ends = np.cumsum(list(widths.values()))
        self.form = form
        self.slices = {
            name: slice(int(end) - width, int(end))
            for (name, width), end in zip(widths.items(), ends, strict=True)
        }
        self.num_params = int(ends[-1])

    def __contains__(self, name: str) -> bool:
        return name in self.slices

    def get(self, theta: np.ndarray, name: str) -> np.ndarray:
        """Return the parameters (b, width) of one name."""
        return theta[:, self.slices[name]]

    def scalar(self, theta: np.ndarray, name: str, absent: float = 0.0) -> np.ndarray:
        """Return a single parameter as (b, 1), or `absent` if the form does not have it."""
        return self.get(theta, name) if name in self else np.full((len(theta), 1), absent)

    def names(self) -> tuple[str, ...]:
        """Return the name of every position; parts of a vector are numbered from 0."""
        return tuple(
            name if part.stop - part.start == 1 else f"{name}_{j}"
            for name, part in self.slices.items()
            for j in range(part.stop - part.start)
        )


@dataclass(frozen=True, eq=False)
class Terms:
    """The parts of the loss of b validation domains at n points, (b, n) unless stated."""

    mixture_term: np.ndarray
    """M by distinct mixture, (b, q)."""
    size_term: np.ndarray
    """P."""
    token_term: np.ndarray
    """Q."""
    coupled: np.ndarray
    """(P + Q)^k."""
    loss: np.ndarray


def evaluate_terms(layout: Layout, theta: np.ndarray, points: Points) -> Terms:
    """Evaluate the terms of a law with the parameters theta (b, p) at the points."""
    mixture_term = mixture_loss(layout, theta, points.proportions)
    slopes = slope_matrix(layout.form, points.proportions)
    a, b = (np.exp(layout.get(theta, name)) for name in ("ln_a", "ln_b"))
    log_p = (layout.get(theta, "u") @ slopes.T)[:, points.mixture] - a * points.log_size
    log_q = (layout.get(theta, "v") @ slopes.T)[:, points.mixture] - b * points.log_tokens
    if "d" in layout:
        log_q -= layout.get(theta, "d") * points.log_size
    size_term, token_term = np.exp(log_p), np.exp(log_q)
    coupled = size_term + token_term
    if "ln_k" in layout:
        coupled = coupled ** np.exp(layout.get(theta, "ln_k"))
    loss = layout.get(theta, "c") + mixture_term[:, points.mixture] + coupled
    if "ln_C" in layout:
        loss -= np.exp(layout.get(theta, "ln_C")) * points.annealing
    return Terms(mixture_term, size_term, token_term, coupled, loss)


def slope_matrix(form: Form, proportions: np.ndarray) -> np.ndarray:
    """Return the factors of u and v: the proportions (q, K), or a column of ones (q, 1)."""
    return proportions if form.slopes else np.ones((len(proportions), 1))


def mixture_loss(layout: Layout, theta: np.ndarray, proportions: np.ndarray) -> np.ndarray:
    """Return the mixture term M (b, q)."""
    if layout.form.mixture == "additive":
        return 1.0 / _share_terms(layout, theta, proportions).sum(axis=2)
    return np.exp(layout.get(theta, "t") @ _mixture_inputs(layout.form, proportions).T)


def _mixture_inputs(form: Form, proportions: np.ndarray) -> np.ndarray:
    return np.sqrt(proportions) if form.mixture == "sqrt" else proportions


def _share_terms(layout: Layout, theta: np.ndarray, proportions: np.ndarray) -> np.ndarray:
    """Return exp(m_j) r_j^g_j (b, q, K), which is zero where the share is zero."""
    g = np.exp(layout.get(theta, "ln_g"))
    logs = layout.get(theta, "m")[:, None] + g[:, None] * _log_share(proportions)
    return np.where(proportions > 0, np.exp(logs), 0.0)


def _log_share(proportions: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(proportions, SMALLEST_SHARE))


def mixture_gradient(layout: Layout, theta: np.ndarray, proportions: np.ndarray) -> np.ndarray:
    """Return dM/dr (b, q, K); a zero share counts as `SMALLEST_SHARE`."""
    M = mixture_loss(layout, theta, proportions)[..., None]
    shares = np.maximum(proportions, SMALLEST_SHARE)
    if layout.form.mixture == "additive":
        g = np.exp(layout.get(theta, "ln_g"))[:, None]
        inner = np.exp(layout.get(theta, "m"))[:, None] * g * shares ** (g - 1)
        return -(M**2) * inner
    t = layout.get(theta, "t")[:, None]
    return M * (t / (2 * np.sqrt(shares)) if layout.form.mixture == "sqrt" else t)


def jacobian(layout: Layout, theta: np.ndarray, points: Points, terms: Terms) -> np.ndarray:
    """Return d loss / d theta (b, n, p)."""
    result = np.zeros((len(theta), len(points.mixture), layout.num_params))

    def put(name: str, values: np.ndarray) -> None:
        part = layout.slices[name]
        result[:, :, part] = values if values.ndim == 3 else values[..., None]

    put("c", np.ones_like(terms.loss))
    for name, values in _mixture_jacobian(layout, theta, points, terms).items():
        put(name, values[:, points.mixture])
    k = np.exp(layout.scalar(theta, "ln_k"))
    outer = k * terms.coupled / (terms.size_term + terms.token_term)
    by_p, by_q = outer * terms.size_term, outer * terms.token_term
    slopes = slope_matrix(layout.form, points.proportions)[points.mixture]
    put("u", by_p[..., None] * slopes)
    put("v", by_q[..., None] * slopes)
    put("ln_a", -by_p * np.exp(layout.get(theta, "ln_a")) * points.log_size)
    put("ln_b", -by_q * np.exp(layout.get(theta, "ln_b")) * points.log_tokens)
    if "d" in layout:
        put("d", -by_q * points.log_size)
    if "ln_k" in layout:
        put("ln_k", terms.coupled * np.log(terms.coupled))
    if "ln_C" in layout:
        put("ln_C", -np.exp(layout.get(theta, "ln_C")) * points.annealing)
    return result


def _mixture_jacobian(
    layout: Layout, theta: np.ndarray, points: Points, terms: Terms
) -> dict[str, np.ndarray]:
    """Return the derivatives of M by parameter name, each (b, q, K)."""
    M = terms.mixture_term[..., None]
    if layout.form.mixture != "additive":
        return {"t": M * _mixture_inputs(layout.form, points.proportions)}
    by_share = -(M**2) * _share_terms(layout, theta, points.proportions)
    g = np.exp(layout.get(theta, "ln_g"))[:, None]
    return {"m": by_share, "ln_g": by_share * g * _log_share(points.proportions)}
