"""The sweep: every run of an experiment, listed once; and the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mixlaws.mixtures.designs import Design, choose_mixtures, default_count
from mixlaws.mixtures.lattice import NATURAL, OPTIMUM, Mixture
from mixlaws.results import Results, RunFiles
from mixlaws.runs.lengths import num_proxy_tokens, num_target_steps
from mixlaws.runs.options import run_options
from mixlaws.runs.run import RUN_DEFAULTS
from mixlaws.runs.sections import Experiment, shape_of

PROXY, CONFIRMATION = "proxy", "confirmation"
"""Roles of a run: the laws are fitted to proxies; a confirmation trains the target."""


@dataclass(frozen=True)
class PlannedRun:
    """One run that the config asks for."""

    role: str
    """PROXY or CONFIRMATION."""
    kind: str
    """Of its mixture: sample, held-out, baseline or optimum."""
    size: str
    mixture: str
    seed: int
    num_steps: int
    tokens: int
    """Training tokens of the whole run."""

    @property
    def key(self) -> tuple[str, str, int]:
        """Return size, mixture and seed."""
        return self.size, self.mixture, self.seed

    def files(self, results: Results) -> RunFiles:
        """Return its files in the results of the experiment."""
        if self.role == CONFIRMATION:
            return results.confirmation_run(self.mixture, self.seed)
        return results.run(self.size, self.mixture, self.seed)


@dataclass(frozen=True)
class Sweep:
    """Every run of an experiment, and the mixtures whose proportions the config decides."""

    mixtures: tuple[Mixture, ...]
    """Sampled, held-out and uniform. The shares of natural are known once the text is counted,
    those of the optimum once it is found."""
    runs: tuple[PlannedRun, ...]

    @property
    def proxies(self) -> list[PlannedRun]:
        """Return the runs that the laws are fitted to, or scored on."""
        return [run for run in self.runs if run.role == PROXY]

    @property
    def confirmations(self) -> list[PlannedRun]:
        """Return the runs of the target; none where the config asks for no confirmation."""
        return [run for run in self.runs if run.role == CONFIRMATION]

    @property
    def proportions(self) -> dict[str, dict[str, float]]:
        """Return the proportions by mixture id."""
        return {mixture.id: mixture.proportions for mixture in self.mixtures}

    def keys(self) -> dict[str, Any]:
        """Return the key of every proxy, and the kind of each of their mixtures by id, as lists."""
        kinds = {run.mixture: run.kind for run in self.proxies}
        return {"runs": [list(run.key) for run in self.proxies], "mixtures": kinds}


def list_runs(config: Experiment) -> Sweep:
    """Return the sweep that a config asks for: proxies first, then confirmations.

    Raises ConfigError when the limits leave fewer mixtures than asked for.
    """
    mixtures = tuple(choose_mixtures(design_of(config)))
    kinds = {mixture.id: mixture.kind for mixture in mixtures} | {NATURAL: "baseline"}
    training, confirmation = config.training, config.confirmation
    runs = [
        (PROXY, kind, size, mixture, seed, training.num_steps)
        for size in training.sizes
        for mixture, kind in kinds.items()
        for seed in training.seeds
    ]
    kinds[OPTIMUM] = OPTIMUM
    if confirmation:
        steps = num_target_steps(config)
        runs += [
            (CONFIRMATION, kinds[mixture], config.target.size, mixture, seed, steps)
            for mixture in [OPTIMUM, *confirmation.mixtures]
            for seed in confirmation.seeds
        ]
    return Sweep(mixtures, tuple(PlannedRun(*run, run[-1] * training.batch_tokens) for run in runs))


def design_of(config: Experiment) -> Design:
    """Return the design of the mixtures that a config asks for."""
    mixtures = config.mixtures
    return Design(
        name=mixtures.design,
        count=mixtures.count or default_count(len(config.domains)),
        num_held_out=mixtures.held_out,
        lattice=mixtures.lattice,
        limits={domain: mixtures.limits.get(domain, [0.0, 1.0]) for domain in config.domains},
        seed=config.seed,
    )


def describe_target(config: Experiment) -> dict[str, Any]:
    """Return the target as the decision's rules need it: size, tokens, shape and schedule."""
    training, options = config.training, run_options(config, is_target=True)
    names = ("schedule", "schedule_horizon", "final_rate", "decay_share")
    return {
        "size": config.target.size,
        "tokens": config.target.tokens,
        **asdict(shape_of(config, config.target.size)),
        "sequence_length": training.sequence_length,
        "batch_tokens": training.batch_tokens,
        "warmup_steps": training.warmup_steps,
        **{name: options.get(name, RUN_DEFAULTS[name]) for name in names},
    }


def measured_factor(config: Experiment) -> float:
    """Return by which factor the counted tokens limit the optimum, 0 without a confirmation.

    A confirmation trains on the experiment's own text, training.max_epochs times at most; the
    optimum's limits allow optimum.max_epochs of what is available.
    """
    if config.confirmation is None:
        return 0
    return config.training.max_epochs / config.optimum.max_epochs


def plan_of_tokens(config: Experiment, mixtures: Sequence[Mixture]) -> dict[str, Any]:
    """Return what the experiment needs of its tokens, as plain built-ins (config.counted).

    `mixtures` are those of its sweep.
    """
    confirmation, sections = config.confirmation, config.model_dump()
    return {
        "mixtures": [asdict(mixture) for mixture in mixtures],
        "num_windows": config.validation.num_windows,
        "sequence_length": config.training.sequence_length,
        "proxy_tokens": num_proxy_tokens(config),
        "target_tokens": config.target.tokens,
        "max_epochs": config.training.max_epochs,
        "lattice": config.mixtures.lattice,
        "confirmed": None if confirmation is None else list(confirmation.mixtures),
        "optimum": sections["optimum"],
        "available_tokens": {
            domain: source.available_tokens for domain, source in config.domains.items()
        },
        "measured_factor": measured_factor(config),
    }
