"""The sweep: every run of an experiment, listed once; and the target."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mixlaws.mixtures.designs import Design, choose_mixtures, default_count
from mixlaws.mixtures.lattice import NATURAL, OPTIMUM, Mixture, whole_shares
from mixlaws.results import BASELINE, NAMED, Results
from mixlaws.run_files import RunFiles
from mixlaws.runs.lengths import num_proxy_tokens, num_target_steps
from mixlaws.runs.options import run_options
from mixlaws.runs.replay import VERIFICATION, replay_mixtures
from mixlaws.runs.run import RUN_DEFAULTS
from mixlaws.runs.sections import Experiment, shape_of

PROXY, CONFIRMATION, VERIFICATION_ROLE = "proxy", "confirmation", "verification"
"""Roles of a run: the laws are fitted to proxies; a confirmation trains the target on the optimum,
and a verification continues a base at the critical proportion."""


@dataclass(frozen=True)
class PlannedRun:
    """One run that the config asks for."""

    role: str
    """PROXY, CONFIRMATION or VERIFICATION_ROLE."""
    kind: str
    """Of its mixture: sample, held-out, baseline, named or optimum."""
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
    """Every run of an experiment, and the mixtures whose proportions the config decides.

    The shares of natural may be known only once the text is counted, those of the optimum are known
    once it is found.
    """

    mixtures: tuple[Mixture, ...]
    """Those that proxies are trained on: sampled, held-out, uniform, and stated ones if asked."""
    predicted: tuple[Mixture, ...]
    """The other stated mixtures, with which the optimum is compared."""
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
    def verifications(self) -> list[PlannedRun]:
        """Return the runs at the critical proportion; none where they are not asked for."""
        return [run for run in self.runs if run.role == VERIFICATION_ROLE]

    @property
    def proportions(self) -> dict[str, dict[str, float]]:
        """Return the proportions by mixture id, trained or not."""
        return {each.id: each.proportions for each in (*self.mixtures, *self.predicted)}

    def keys(self) -> dict[str, Any]:
        """Return the key of every proxy, and the kind of each mixture in mixtures.csv by its id."""
        kinds = {run.mixture: run.kind for run in self.proxies}
        kinds |= {mixture.id: mixture.kind for mixture in self.predicted}
        return {"runs": [list(run.key) for run in self.proxies], "mixtures": kinds}


def list_runs(config: Experiment) -> Sweep:
    """Return the sweep that a config asks for: proxies first, then confirmations.

    Raises ConfigError when the limits leave fewer mixtures than asked for.
    """
    if config.continual is not None:
        return _list_replays(config, config.continual.model_dump())
    trained, predicted = _stated_mixtures(config)
    mixtures = (*choose_mixtures(design_of(config)), *trained)
    kinds = {mixture.id: mixture.kind for mixture in mixtures}
    if counts_natural(config):
        kinds[NATURAL] = BASELINE
    training, confirmation = config.training, config.confirmation
    runs = [
        (PROXY, kind, size, mixture, seed, training.num_steps)
        for size in training.sizes
        for mixture, kind in kinds.items()
        for seed in training.seeds
    ]
    kinds |= {mixture.id: mixture.kind for mixture in predicted} | {OPTIMUM: OPTIMUM}
    if confirmation:
        steps = num_target_steps(config)
        runs += [
            (CONFIRMATION, kinds[mixture], config.target.size, mixture, seed, steps)
            for mixture in [OPTIMUM, *confirmation.mixtures]
            for seed in confirmation.seeds
        ]
    planned = tuple(PlannedRun(*run, run[-1] * training.batch_tokens) for run in runs)
    return Sweep(mixtures, predicted, planned)


def counts_natural(config: Experiment) -> bool:
    """Return whether the shares of the natural mixture come from the text.

    Continual pre-training has no natural mixture.
    """
    mixtures = config.mixtures
    return config.continual is None and mixtures.natural is None and mixtures.train_natural


def _stated_mixtures(config: Experiment) -> tuple[tuple[Mixture, ...], tuple[Mixture, ...]]:
    """Return the mixtures that the config states: those to train proxies on, and the others."""
    mixtures, domains = config.mixtures, list(config.domains)
    stated = []
    if mixtures.natural is not None:
        natural = whole_shares(mixtures.natural, domains)
        stated.append((mixtures.train_natural, Mixture(NATURAL, BASELINE, natural)))
    for name, shares in mixtures.named.items():
        named = Mixture(name, NAMED, whole_shares(shares, domains))
        stated.append((name in mixtures.train_named, named))
    trained = tuple(mixture for is_trained, mixture in stated if is_trained)
    return trained, tuple(mixture for is_trained, mixture in stated if not is_trained)


def _list_replays(config: Experiment, section: dict[str, Any]) -> Sweep:
    """Return the runs of continual pre-training: every share at every size and seed.

    A verification has the largest size. Its proportions are known once the share is found.
    """
    training = config.training
    mixtures = tuple(replay_mixtures(section, list(config.domains)))
    length = (training.num_steps, training.num_steps * training.batch_tokens)
    runs = [
        PlannedRun(PROXY, mixture.kind, size, mixture.id, seed, *length)
        for size in training.sizes
        for mixture in mixtures
        for seed in training.seeds
    ]
    if section["verify"]:
        largest = max(training.sizes, key=lambda size: shape_of(config, size).num_params)
        runs += [
            PlannedRun(VERIFICATION_ROLE, VERIFICATION, largest, VERIFICATION, seed, *length)
            for seed in training.seeds
        ]
    return Sweep(mixtures, (), tuple(runs))


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
        **{name: options[name] for name in ("initial_rate",) if name in options},
    }


def measured_factor(config: Experiment) -> float:
    """Return by which factor the counted tokens limit the optimum, 0 without a confirmation.

    A confirmation trains on the experiment's own text, training.max_epochs times at most; the
    optimum's limits allow optimum.max_epochs of what is available.
    """
    if config.confirmation is None:
        return 0
    return config.training.max_epochs / config.optimum.max_epochs


def plan_of_tokens(config: Experiment, sweep: Sweep) -> dict[str, Any]:
    """Return what an experiment with this sweep needs of its tokens, as plain built-ins.

    `mixlaws.config.counted` checks it.
    """
    confirmation, sections = config.confirmation, config.model_dump()
    return {
        "mixtures": [asdict(mixture) for mixture in sweep.mixtures],
        "predicted": [asdict(mixture) for mixture in sweep.predicted],
        "counts_natural": counts_natural(config),
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
