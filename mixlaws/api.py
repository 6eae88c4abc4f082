"""The analysis of losses from Python, by a few functions.

From two tables (docs/own-runs.md) to a decision:

>>> import mixlaws
>>> swarm = mixlaws.read_swarm("losses.csv", "mixtures.csv")
>>> law = mixlaws.fit(swarm, target="1B:2M", laws={"pipeline": "nested", "mixing": "additive"})
>>> sorted(mixlaws.predict(law, {"web": 0.5, "code": 0.5}))
['code', 'overall', 'web']
>>> decision = mixlaws.decide(law, replicates=10)
>>> f"{sum(decision['proportions'].values()):.6f}"
'1.000000'

`write_report` does all of this and writes the results and the page, as `mixlaws fit` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mixlaws.config.complete import complete_config
from mixlaws.decision.bootstrap import Sampling
from mixlaws.decision.decide import decide_mixture, gather_evidence
from mixlaws.decision.prediction import mixture_shares, predict_mixture
from mixlaws.laws.files import FittedLaw
from mixlaws.losses import stage
from mixlaws.losses.counts import parse_target
from mixlaws.losses.experiment import Experiment, make_experiment
from mixlaws.losses.swarm import Swarm
from mixlaws.own_losses import fit_losses
from mixlaws.scoring.choice import LawChoice, choose_laws
from mixlaws.scoring.fitting import fit_all


@dataclass(frozen=True, eq=False)
class OwnLaw:
    """Laws fitted to a swarm: what predicts the target, and why it was chosen."""

    experiment: Experiment
    choice: LawChoice
    fitted: FittedLaw


def read_swarm(losses: str | Path, mixtures: str | Path, **options: Any) -> Swarm:
    """Read and check losses and mixtures; `options` are keys of the config's `losses`.

    Raises DataError that lists everything that is wrong, with its lines.
    """
    return stage.read_swarm(_complete((losses, mixtures), losses=options)["losses"])


def fit(
    swarm: Swarm,
    *,
    target: str | None = None,
    weights: Mapping[str, float] | None = None,
    laws: Mapping[str, Any] | None = None,
    level: float = 0.9,
) -> OwnLaw:
    """Choose the laws by folds and fit them.

    `target` is SIZE or SIZE:TOKENS, as 1B:100B; by default the swarm's largest size at its last
    tokens. `weights` of the validation domains are equal by default; `laws` are keys of that
    section of the config. Raises FitError if the losses do not support that target.
    """
    experiment = make_experiment(swarm, target=parse_target(target), weights=weights)
    options = _complete(NO_FILES, laws=dict(laws or {}))["laws"]
    scored = choose_laws(
        experiment.observations,
        experiment.held_out,
        target=experiment.target,
        columns=experiment.columns,
        options=options,
    )
    fits = fit_all(experiment.fitted, experiment.target, scored.choice)
    uncertainty = scored.forward.uncertainty.record()
    fitted = fits.fitted_law(
        experiment.fitted, experiment.columns, uncertainty=uncertainty, level=level
    )
    return OwnLaw(experiment, scored.choice, fitted)


def predict(law: OwnLaw, mixture: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """Return the predicted loss of each validation domain and `overall` at the target, in nats.

    Each is a value with lower and upper of the expected loss, and `one_run`, the interval of a
    new run. Raises ConfigError if the mixture names an unknown domain or does not sum to 1.
    """
    return predict_mixture(law.fitted, mixture)


def decide(
    law: OwnLaw,
    *,
    optimum: Mapping[str, Any] | None = None,
    available_tokens: Mapping[str, float] | None = None,
    named: Mapping[str, Mapping[str, float]] | None = None,
    replicates: int = 100,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the best mixture at the target with its intervals, as in optimum.json.

    `optimum` are keys of the config's `optimum`; `named` are mixtures of your own by name, which
    are compared with the best one. Raises ConfigError if no mixture meets the limits.
    """
    own = {name: list(mixture_shares(law.fitted, r).values()) for name, r in (named or {}).items()}
    complete = _complete(NO_FILES, optimum=dict(optimum or {}), mixtures={"named": named or {}})
    evidence = gather_evidence(law.fitted, law.experiment.fitted, Sampling(replicates, seed))
    decision = decide_mixture(
        evidence,
        complete["optimum"],
        target_tokens=law.experiment.target.tokens,
        available_tokens=dict(available_tokens or {}),
        baselines=law.experiment.baselines | own,
    )
    return decision | law.experiment.record() | {"named": [*law.experiment.named, *own]}


def write_report(
    losses: str | Path, mixtures: str | Path, folder: str | Path, **config: Any
) -> Path:
    """Import, fit, decide and write everything into a folder; return the path of its page.

    `config` are sections of the config file (docs/config.md), as target={"size": "1B", ...}.
    """
    complete = _complete((losses, mixtures), **{"experiment": Path(folder).name, **config})
    return fit_losses(complete, folder, say=lambda _: None)


NO_FILES = ("", "")


def _complete(tables: tuple[str | Path, str | Path], **config: Any) -> dict[str, Any]:
    """Return a config with every default from the paths of the two tables and other sections."""
    files = {"losses": str(tables[0]), "mixtures": str(tables[1])}
    section = {"files": files, **config.pop("losses", {})}
    return complete_config({"experiment": "own_losses", "losses": section, **config})
