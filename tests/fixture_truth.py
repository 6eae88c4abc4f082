"""A law of losses with its experiment: what a planted results folder is made from.

Loss of validation domain i: E_i + M_i(r) + A_i (N / 1e5)^-0.4 + B_i (D / 1e6)^-0.5 + noise of the
run, with M_i(r) = 1 / (0.05 + sum_j C_ij r_j^0.5).
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from mixlaws.config.complete import complete_config
from mixlaws.runs.shapes import Shape

EXTRA = ("tests", "rst")
SHAPES = {"25K": (2, 32, 2), "56K": (2, 48, 2), "99K": (2, 64, 2), "332K": (3, 96, 4)}
SIZES = {name: Shape(*shape).num_params for name, shape in SHAPES.items()}
TARGET = "332K"
TARGET_TOKENS = 1_228_800


@dataclass(frozen=True)
class Planted:
    """The truth behind the tables: K training domains, V validation domains."""

    num_domains: int = 3
    num_sizes: int = 3
    confirmed: bool = True
    flat: bool = False
    """Whether every token helps alike, so that no mixture is better than another."""
    pipeline: str = "nested"
    noise: float = 0.002
    """Standard deviation between runs, nats."""

    @property
    def domains(self):
        names = ["python", "docs", "cpp"]
        return [*names, *(f"domain{j}" for j in range(4, 60))][: self.num_domains]

    @property
    def validation_domains(self):
        return [*self.domains, *EXTRA]

    @property
    def sizes(self):
        return {name: SIZES[name] for name in list(SIZES)[: self.num_sizes]}

    @property
    def strengths(self):
        """(V, K) C_ij: a domain helps itself most."""
        rng = np.random.default_rng(1)
        base = rng.uniform(0.25, 0.55, (len(self.validation_domains), self.num_domains))
        own = np.eye(len(self.validation_domains), self.num_domains)
        own[-2, 0], own[-1, 1] = 0.5, 0.5
        return np.full_like(own, 0.6) if self.flat else base + 0.9 * own

    @property
    def weights(self):
        shares = np.r_[0.15, 0.7, np.full(self.num_domains - 2, 0.15)]
        return dict(zip(self.domains, (shares / shares.sum()).tolist(), strict=True))

    def losses(self, num_params, tokens, proportions):
        """Return losses (m, V) in nats for proportions (m, K), without noise."""
        helps = np.atleast_2d(proportions) ** (1.0 if self.flat else 0.5)
        mixing = 1 / (helps @ self.strengths.T + 0.05)
        scale = np.linspace(1.0, 1.3, len(self.validation_domains))
        reducible = 0.6 * (num_params / 1e5) ** -0.4 + 0.8 * (tokens / 1e6) ** -0.5
        return 1.0 + mixing + scale * reducible

    def target_overall(self, proportions):
        """Return (m,) weighted losses of the target."""
        losses = self.losses(SIZES[TARGET], TARGET_TOKENS, proportions)
        return losses[:, : self.num_domains] @ np.array(list(self.weights.values()))

    def optimum(self):
        """Return (K,) the best proportions."""
        count = self.num_domains
        found = minimize(
            lambda r: self.target_overall(np.clip(r, 1e-9, 1))[0],
            np.full(count, 1 / count),
            bounds=[(0, 1)] * count,
            constraints={"type": "eq", "fun": lambda r: r.sum() - 1},
        )
        return np.clip(found.x, 0, None) / np.clip(found.x, 0, None).sum()

    def config(self, text):
        """Return the complete config; the domains read the folder `text`."""
        sources = {
            domain: {"source": "files", "paths": [str(text / f"{domain}.jsonl")]}
            for domain in self.validation_domains
        }
        validation = {"share": 0.25, "domains": {domain: sources.pop(domain) for domain in EXTRA}}
        training = {"sizes": list(self.sizes), "num_steps": 600, "batch_size": 8}
        training |= {"sequence_length": 128, "num_evaluations": 8, "first_evaluation": 0.1}
        training |= {"learning_rate": 0.0024, "embedding_learning_rate": 0.05, "warmup_steps": 30}
        config = {
            "experiment": "demo",
            "domains": sources,
            "tokenizer": {"train": {"vocabulary_size": 300}},
            "validation": validation | {"weights": self.weights},
            "mixtures": {"count": 8, "held_out": 2, "lattice": 64},
            "sizes": {
                name: {"num_layers": layers, "model_width": width, "num_heads": heads}
                for name, (layers, width, heads) in SHAPES.items()
            },
            # The planted runs read no text, so that repetition needs no limit.
            "training": training | {"max_epochs": 1e5},
            "target": {"size": TARGET, "tokens": TARGET_TOKENS},
            "laws": {"pipeline": self.pipeline, "early_cut": 0.18},
            "uncertainty": {"replicates": 10},
        }
        if self.confirmed:
            config["confirmation"] = {"mixtures": ["uniform", "natural"], "seeds": [0, 1]}
        return complete_config(config)
