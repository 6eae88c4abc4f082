"""Fitted laws as tidy tables: step_law.csv, size_law.csv, mixing_law.csv, joint_law.csv."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from mixlaws.laws.curves import Curves
from mixlaws.laws.joint.law import JointLaw
from mixlaws.laws.mixing.fit import fit_mixing_law
from mixlaws.laws.nested import NestedFit
from mixlaws.laws.observations import Observations

# Always in the table: the law that decides by default, and the paper's.
SHOWN = ("additive", "exponential")


def step_table(fit: NestedFit, domains: Sequence[str]) -> pd.DataFrame:
    """Return L(D) = E + B / (D / reference_tokens)^beta, one row per run and validation domain."""
    names = {
        "A": "B",
        "alpha": "beta",
        "reference": "reference_tokens",
        "first": "first_tokens",
    }
    columns = ["size", "mixture", "seed", "validation_domain", "E", "B", "beta"]
    columns += ["reference_tokens", "first_tokens", "num_points", "rmse"]
    return _curve_table(fit.step, domains, names, [*columns, "num_agreeing", "at_bound"])


def size_table(fit: NestedFit, domains: Sequence[str], tokens: float) -> pd.DataFrame:
    """Return L(N) = E + A / (N / reference_params)^alpha at `tokens`, per mixture."""
    columns = ["mixture", "validation_domain", "E", "A", "alpha", "reference_params", "tokens"]
    columns += ["num_points", "rmse", "num_agreeing", "at_bound"]
    table = _curve_table(fit.size, domains, {"reference": "reference_params"}, columns)
    return table.assign(tokens=tokens)


def _curve_table(
    curves: Curves | None, domains: Sequence[str], names: Mapping[str, str], columns: Sequence[str]
) -> pd.DataFrame:
    """Return one row per curve; no rows where the stage was not needed."""
    if curves is None:
        return pd.DataFrame(columns=list(columns))
    num_rows, num_domains = len(curves.mixture), len(domains)
    by_row = {"size": curves.size, "mixture": curves.mixture, "seed": curves.seed}
    by_row |= {"first": curves.first, "num_points": curves.num_points}
    table = pd.DataFrame(
        {name: np.repeat(values, num_domains) for name, values in by_row.items()}
        | {"validation_domain": np.tile(np.array(domains, dtype=object), num_rows)}
        | {name: np.ravel(getattr(curves.law, name)) for name in ("E", "A", "alpha")}
        | {
            "reference": np.broadcast_to(curves.law.reference, num_rows * num_domains),
            "rmse": curves.rmse().ravel(),
            "num_agreeing": curves.fit.num_agreeing,
            "at_bound": [" ".join(flags) for flags in curves.fit.at_bound],
        }
    )
    return table.rename(columns=dict(names)).reindex(columns=list(columns))


def mixing_table(fit: NestedFit, observations: Observations) -> pd.DataFrame:
    """Return the parameters at the target of the chosen law and of those always shown."""
    others = [name for name in SHOWN if name != fit.mixing.name]
    laws = [fit_mixing_law(name, fit.proportions, fit.losses)[0] for name in others]
    return _parameter_table(
        {law.name: law.parameters() for law in [fit.mixing, *laws]},
        observations.validation_domains,
        observations.domains,
        "law",
    )


def joint_table(laws: Iterable[JointLaw], observations: Observations) -> pd.DataFrame:
    """Return the parameters of the joint laws; no rows when they could not be fitted."""
    return _parameter_table(
        {law.form: law.parameters() for law in laws},
        observations.validation_domains,
        observations.domains,
        "form",
    )


def _parameter_table(
    parameters: Mapping[str, Mapping[str, np.ndarray]],
    validation_domains: Sequence[str],
    domains: Sequence[str],
    kind: str,
) -> pd.DataFrame:
    """Return tidy rows: law, validation domain, parameter, domain (empty for scalars), value."""
    rows = [
        (law, validation_domain, name, domain, float(value))
        for law, named in parameters.items()
        for name, values in named.items()
        for validation_domain, row in zip(validation_domains, values, strict=True)
        for domain, value in _entries(np.asarray(row), domains)
    ]
    return pd.DataFrame(rows, columns=[kind, "validation_domain", "parameter", "domain", "value"])


def _entries(row: np.ndarray, domains: Sequence[str]) -> list[tuple[str, float]]:
    """Return (domain, value) pairs; several terms of a law number the scalars of each."""
    if row.ndim == 0:
        return [("", float(row))]
    if row.shape[-1] == len(domains) and row.ndim == 1:
        return list(zip(domains, row.tolist(), strict=True))
    return [(f"{index}", float(value)) for index, value in enumerate(row.ravel())]
