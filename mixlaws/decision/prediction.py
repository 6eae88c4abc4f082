"""The loss of any mixture from the results of an experiment, at its target or at another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mixlaws.decision.estimates import estimate_losses
from mixlaws.decision.intervals import Bounds
from mixlaws.decision.support import MEASURED_FACTOR
from mixlaws.errors import ConfigError, DataError
from mixlaws.files import read_json
from mixlaws.laws.files import LAW_FILE, FittedLaw, load_fitted
from mixlaws.laws.joint.law import JointAtTarget
from mixlaws.laws.law import Ensemble, members
from mixlaws.laws.observations import Target
from mixlaws.losses.counts import size_of
from mixlaws.presentation import format_count
from mixlaws.scoring.distance_folds import Distance
from mixlaws.scoring.uncertainty import read_uncertainty

SUM_ERROR = 1e-6
_SAME = 1e-12


@dataclass(frozen=True, eq=False)
class Prediction:
    """What is expected of one mixture at one target."""

    proportions: dict[str, float]
    target: Target
    level: float
    losses: dict[str, dict[str, Any]]
    """Estimate by validation domain and `overall` (`decision.estimates`), nats per token."""
    caution: str
    """Why no absolute loss should be stated; empty if it may be."""

    def record(self) -> dict[str, Any]:
        """Return everything as plain JSON."""
        target = {"num_params": self.target.num_params, "tokens": self.target.tokens}
        return {
            "proportions": self.proportions,
            "target": target,
            "level": self.level,
            "losses": self.losses,
            "caution": self.caution,
        }


def predict_mixture(fitted: FittedLaw, mixture: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """Return the estimate of each validation domain and of `overall` at the law's target, in nats.

    Raises ConfigError if the mixture has an unknown domain or does not sum to 1.
    """
    shares = np.array(list(mixture_shares(fitted, mixture).values()))
    bounds = Bounds(fitted.columns, read_uncertainty(fitted.uncertainty), fitted.level)
    return estimate_losses(fitted.law, shares, bounds)


def mixture_shares(fitted: FittedLaw, mixture: Mapping[str, float]) -> dict[str, float]:
    """Return the share of each domain of the law, 0 where none is stated.

    Raises ConfigError if the mixture has an unknown domain, a share outside [0, 1], or another sum
    than 1.
    """
    if unknown := [domain for domain in mixture if domain not in fitted.domains]:
        raise ConfigError(
            f"the mixture has unknown domains: {', '.join(unknown)}. The law knows "
            f"{', '.join(fitted.domains)}"
        )
    if outside := [domain for domain, share in mixture.items() if not 0 <= share <= 1]:
        raise ConfigError(
            f"the mixture has shares outside 0 to 1: {', '.join(outside)}. Correct them"
        )
    if not abs((total := sum(mixture.values())) - 1) <= SUM_ERROR:
        raise ConfigError(f"the shares of the mixture sum to {total:.6g}, not 1. Correct them")
    return {domain: mixture.get(domain, 0.0) / total for domain in fitted.domains}


def predict_experiment(
    folder: str | Path,
    mixture: str | Mapping[str, float],
    *,
    size: str | None = None,
    tokens: float | None = None,
) -> Prediction:
    """Return what the results in a folder predict of a mixture, at their target if nothing is said.

    `mixture` are shares, or the name of a mixture that optimum.json compares; `size` is a label of
    the runs or a count such as 1B. A joint law is evaluated at another size or tokens; the other
    laws hold at one target and are fitted there to the losses in the folder. Raises DataError
    without results, ConfigError for a mixture or a target that the law does not support.
    """
    folder = Path(folder)
    if not (folder / "laws" / LAW_FILE).exists():
        raise DataError(
            f"{folder} holds no fitted law: there is no laws/{LAW_FILE}. Run the experiment first, "
            "or name the folder that holds results/ with --directory"
        )
    fitted = load_fitted(folder / "laws")
    named = _named(folder, mixture) if isinstance(mixture, str) else mixture
    shares = mixture_shares(fitted, named)
    if size is not None or tokens is not None:
        fitted = _move(folder, fitted, size, tokens)
    support = read_json(folder / "optimum.json")["support"]
    losses = predict_mixture(fitted, shares)
    return Prediction(shares, fitted.target, fitted.level, losses, support["loss_reason"])


def _named(folder: Path, name: str) -> dict[str, float]:
    """Return the shares of a mixture that optimum.json holds."""
    record = read_json(folder / "optimum.json")
    compared = {"optimum": record} | record["baselines"]
    if name not in compared:
        raise ConfigError(
            f"there is no mixture {name!r} in {folder / 'optimum.json'}. Known are "
            f"{', '.join(compared)}; or state shares, as web=0.6,code=0.4"
        )
    return dict(compared[name]["proportions"])


def _move(folder: Path, fitted: FittedLaw, size: str | None, tokens: float | None) -> FittedLaw:
    """Return the law at another target, with the intervals of its distance."""
    targets, growth = (
        read_json(folder / "laws" / name) for name in ("targets.json", "choice.json")
    )
    num_params = fitted.target.num_params if size is None else _count_of(folder, size)
    asked = (num_params, fitted.target.tokens if tokens is None else float(tokens))
    home = fitted.target
    if np.allclose(asked, (home.num_params, home.tokens), rtol=_SAME, atol=0):
        return fitted
    check_reach(asked, targets)
    target = target_at(asked, home, targets["compute"])
    moved = read_uncertainty(fitted.uncertainty).moved_to(
        distance_at(target, targets["reach"]), growth["difference_growth"]
    )
    placed = replace(fitted, target=target, uncertainty=moved.record())
    laws = members(fitted.law)
    if all(isinstance(law, JointAtTarget) for law in laws):
        at = [law.law.at(target) for law in laws if isinstance(law, JointAtTarget)]
        return replace(placed, law=Ensemble(tuple(at)))
    # Imported here: only a law that holds at one target needs the losses, and pandas.
    from mixlaws.losses.experiment import open_observations

    observations = open_observations(folder)
    return replace(placed, law=fitted.pipeline.fit(observations, target))


def _count_of(folder: Path, size: str) -> float:
    """Return N of a size: a label of the runs or of the target, or a count."""
    # Imported here: it needs pandas.
    from mixlaws.losses.experiment import open_sizes

    target = read_json(folder / "optimum.json")["target"]
    known = open_sizes(folder) | {str(target["size"]): float(target["num_params"])}
    return size_of(size, known, "--size")[1]


def check_reach(asked: tuple[float, float], targets: Mapping[str, Any]) -> None:
    """Raise ConfigError if nothing was measured that supports (N, D); `targets` is targets.json."""
    reach = targets["reach"]
    least = (min(targets["compute"]["num_params"]), targets["first_tokens"])
    most = (MEASURED_FACTOR * reach["num_params"], MEASURED_FACTOR * reach["tokens"])
    for what, option, value, low, high in zip(
        ("parameters", "tokens"), ("--size", "--tokens"), asked, least, most, strict=True
    ):
        if low <= value * (1 + 1e-9) and value <= high * (1 + 1e-9):
            continue
        raise ConfigError(
            f"the law says nothing of {format_count(value)} {what}: the runs support "
            f"{format_count(low)} to {format_count(high)}, {MEASURED_FACTOR:,.0f} times the "
            f"largest run. Change {option}"
        )


def target_at(asked: tuple[float, float], home: Target, compute: Mapping[str, Any]) -> Target:
    """Return the target of (N, D), whose schedule ends as that of the experiment's own target.

    Its FLOPs lie on straight lines, in logarithms, between the sizes of `compute`.
    """
    num_params, tokens = asked
    known, flops = (np.log(compute[name]) for name in ("num_params", "compute_params"))
    at, slope = np.log(num_params), 1.0
    if len(known) > 1:
        right = int(np.clip(np.searchsorted(known, at), 1, len(known) - 1))
        slope = (flops[right] - flops[right - 1]) / (known[right] - known[right - 1])
    else:
        right = 1
    same_size = abs(num_params / home.num_params - 1) < _SAME
    found = float(np.exp(flops[right - 1] + slope * (at - known[right - 1])))
    return replace(
        home,
        num_params=num_params,
        compute_params=home.compute_params if same_size else found,
        tokens=tokens,
        effective_tokens=home.effective_tokens * tokens / home.tokens,
    )


def distance_at(target: Target, reach: Mapping[str, float]) -> Distance:
    """Return how far a target is from what was fitted, in the pipeline's units."""
    size = max(0.0, float(np.log(target.num_params / reach["num_params"])))
    tokens = max(0.0, float(np.log(target.tokens / reach["tokens"])))
    return Distance(size, tokens / reach["token_unit"] if tokens > 0 else 0.0)
