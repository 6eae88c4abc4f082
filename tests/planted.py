"""A convex law whose optimum is known in closed form, for the tests of the decision side."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mixlaws.laws.observations import Observations


@dataclass(frozen=True, eq=False)
class PlantedLaw:
    """L_i(r) = E_i + 1/2 sum_j a_ij (r_j - b_ij)^2: convex for a > 0."""

    name: ClassVar[str] = "planted"

    E: np.ndarray
    a: np.ndarray
    b: np.ndarray
    convex: bool = True

    def predict(self, proportions: np.ndarray) -> np.ndarray:
        distance = proportions[:, None, :] - self.b
        return self.E + 0.5 * (self.a * distance**2).sum(axis=2)

    def gradient(self, proportions: np.ndarray) -> np.ndarray:
        return self.a * (proportions[:, None, :] - self.b)

    def parameters(self) -> dict[str, np.ndarray]:
        return {"E": self.E, "a": self.a, "b": self.b}

    def reorder(self, order: np.ndarray) -> "PlantedLaw":
        return PlantedLaw(self.E, self.a[:, order], self.b[:, order], self.convex)

    def optimum(self, weights: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
        """Return the best mixture by bisection on the multiplier of the sum."""
        slope, pull = weights @ self.a, weights @ (self.a * self.b)
        low, high = -1e6, 1e6
        for _ in range(200):
            middle = 0.5 * (low + high)
            shares = np.clip((pull - middle) / slope, lower, upper)
            low, high = (middle, high) if shares.sum() > 1 else (low, middle)
        return shares


def planted_law(seed: int, num_domains: int = 3, num_validation: int = 4) -> PlantedLaw:
    generator = np.random.default_rng(seed)
    shape = (num_validation, num_domains)
    return PlantedLaw(
        E=generator.uniform(2, 3, num_validation),
        a=generator.uniform(0.5, 4, shape),
        b=generator.uniform(0, 1, shape),
    )


def planted_observations(
    *,
    num_mixtures: int = 10,
    num_domains: int = 3,
    sizes: dict[str, float] | None = None,
    seeds: tuple[int, ...] = (0,),
    noise: float = 0.0,
    seed: int = 0,
) -> Observations:
    """Runs of an additive law whose amount shrinks with size and tokens.

    L_i = (1 / sum_j C_ij r_j^g) (N / 1e6)^-0.2 + (D / 1e6)^-0.4 + 1, plus noise per run.
    """
    generator = np.random.default_rng(seed)
    shares = np.round(generator.dirichlet(np.ones(num_domains), num_mixtures), 6)
    shares[:, -1] = 1 - shares[:, :-1].sum(axis=1)
    strength = generator.uniform(0.3, 1.5, (num_domains + 1, num_domains))
    sizes = sizes or {"S": 1e6, "M": 2e6, "L": 4e6}
    steps = np.array([10, 14, 20, 28, 40, 56, 80])
    rows = [
        (name, num_params, f"mix-{mixture:03d}", shares[mixture], each, step)
        for name, num_params in sizes.items()
        for mixture in range(num_mixtures)
        for each in seeds
        for step in steps
    ]
    proportions = np.array([row[3] for row in rows])
    num_params = np.array([row[1] for row in rows])
    tokens = np.array([row[5] * 1e5 for row in rows])
    mixture_term = 1 / (strength * proportions[:, None, :] ** 0.5).sum(axis=2)
    by_run = noise * generator.normal(size=(len(rows) // len(steps), num_domains + 1))
    losses = 1 + mixture_term * (num_params / 1e6)[:, None] ** -0.2
    losses += (tokens / 1e6)[:, None] ** -0.4 + np.repeat(by_run, len(steps), axis=0)
    return Observations(
        domains=tuple(f"domain-{index}" for index in range(num_domains)),
        validation_domains=tuple(f"validation-{index}" for index in range(num_domains + 1)),
        size=np.array([row[0] for row in rows]),
        mixture=np.array([row[2] for row in rows]),
        seed=np.array([row[4] for row in rows]),
        step=np.array([row[5] for row in rows]),
        proportions=proportions,
        num_params=num_params,
        compute_params=num_params,
        tokens=tokens,
        effective_tokens=tokens,
        annealing=np.zeros(len(rows)),
        losses=losses,
    )
