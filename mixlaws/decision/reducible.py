"""The reducible loss at the target: how much further the fitted laws expect the loss to fall."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mixlaws.laws.files import FittedLaw
from mixlaws.laws.joint.forms import mixture_loss
from mixlaws.laws.joint.law import JointAtTarget
from mixlaws.laws.law import members
from mixlaws.laws.observations import Observations
from mixlaws.laws.pipelines import LogLog
from mixlaws.laws.power import power_law

FAR_FACTOR = 10.0
"""Log-log lines have no irreducible loss: beyond this factor in N or D their level is not used."""


def reducible_loss(
    fitted: FittedLaw,
    proportions: np.ndarray,
    observations: Observations,
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> float | None:
    """Return the reducible part (nats) of the overall loss of a mixture (K,) at the target.

    Joint laws: (P + Q)^k of `joint.forms`. Nested: what the size law and, at the largest size, the
    step law have left, mean over the mixtures; `tables` are step_law.csv and size_law.csv. None if
    nothing was extrapolated. Log-log lines have no irreducible loss: 0 far from the observations,
    None near them.
    """
    if isinstance(fitted.pipeline, LogLog):
        beyond = max(
            fitted.target.num_params / observations.num_params.max(),
            fitted.target.tokens / observations.tokens.max(),
        )
        return 0.0 if beyond > FAR_FACTOR else None
    joint = [law for law in members(fitted.law) if isinstance(law, JointAtTarget)]
    if joint:
        parts = np.mean([_joint_part(law, proportions) for law in joint], axis=0)
        return float(fitted.columns.overall(parts[None])[0])
    return _nested_part(fitted, observations, *tables)


def _joint_part(law: JointAtTarget, proportions: np.ndarray) -> np.ndarray:
    """Return (P + Q)^k (V,) of one joint law."""
    rows = proportions[None]
    mixture_term = mixture_loss(law.law.layout, law.law.theta, rows)[:, 0]
    return np.asarray(law.predict(rows)[0] - law.constant[:, 0] - mixture_term)


def _nested_part(
    fitted: FittedLaw, observations: Observations, step: pd.DataFrame, size: pd.DataFrame
) -> float | None:
    parts = []
    if not step.empty:
        largest = str(observations.size[np.argmax(observations.num_params)])
        rows = step[step["size"].astype(str) == largest]
        parts.append(_left(rows, ("B", "beta", "reference_tokens"), fitted.target.tokens))
    if not size.empty:
        parts.append(_left(size, ("A", "alpha", "reference_params"), fitted.target.num_params))
    if not parts:
        return None
    weights = pd.Series(fitted.columns.weights, index=list(fitted.columns.validation_domains))
    return float(sum((part * weights).sum() for part in parts))


def _left(rows: pd.DataFrame, names: tuple[str, str, str], at: float) -> pd.Series:
    """Return the mean of A / (x / reference)^alpha by validation domain."""
    scale, exponent, reference = (rows[name] for name in names)
    left = power_law(np.zeros(len(rows)), scale, exponent, reference).predict(float(at))
    return pd.Series(np.ravel(left), index=rows["validation_domain"]).groupby(level=0).mean()
