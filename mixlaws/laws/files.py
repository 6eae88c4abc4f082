"""Write and read law.json, which holds everything needed to predict the loss of any mixture.

Any language can evaluate a law from its name, the formula in that law's docstring and the
parameters. Parameters are given per validation domain, and also per domain if they depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mixlaws.errors import DataError
from mixlaws.files import read_json, write_json
from mixlaws.laws.joint.forms import FORMS
from mixlaws.laws.joint.law import JointAtTarget, JointLaw
from mixlaws.laws.law import Ensemble, Law, members
from mixlaws.laws.mixing import MIXING_LAWS
from mixlaws.laws.observations import Target
from mixlaws.laws.overall import Columns
from mixlaws.laws.pipelines import Pipeline, make_pipeline, pipeline_record

LAW_FILE = "law.json"
JOINT_PREFIX = "joint-"


@dataclass(frozen=True, eq=False)
class FittedLaw:
    """A law at the target, with the noise and errors from which intervals are made."""

    law: Law
    pipeline: Pipeline
    """The pipeline that fitted the law."""
    target: Target
    domains: tuple[str, ...]
    columns: Columns
    noise: np.ndarray
    """(V,) root mean square of the residuals of the fit, nats."""
    uncertainty: Mapping[str, Any]
    """The record of `Uncertainty` (scoring): half-widths of losses and of differences."""
    level: float
    """Coverage of the intervals."""
    num_mixtures: int
    """Number of mixtures that the law was fitted to."""


def save_law(folder: str | Path, fitted: FittedLaw) -> None:
    """Write law.json into a folder, atomically."""
    write_json(law_record(fitted), Path(folder) / LAW_FILE)


def load_law(folder: str | Path) -> Law:
    """Return the law in a folder's law.json, at the target that it was fitted for."""
    return load_fitted(folder).law


def load_fitted(folder: str | Path) -> FittedLaw:
    """Read what `save_law` wrote; raise DataError naming the file if it is not a fitted law."""
    path = Path(folder) / LAW_FILE
    record = read_json(path)
    try:
        return fitted_law(record)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise DataError(
            f"{path} is not a fitted law of this version ({type(error).__name__}: {error}). Delete "
            "it and rerun fit_laws"
        ) from error


def law_record(fitted: FittedLaw) -> dict[str, Any]:
    """Return a fitted law as plain JSON."""
    columns = fitted.columns
    return {
        "pipeline": pipeline_record(fitted.pipeline),
        "target": asdict(fitted.target),
        "domains": list(fitted.domains),
        "validation_domains": list(columns.validation_domains),
        "weights": _named(columns.validation_domains, columns.weights),
        "laws": [_record_of(law, fitted) for law in members(fitted.law)],
        "noise": _named(columns.validation_domains, fitted.noise),
        "uncertainty": dict(fitted.uncertainty),
        "level": fitted.level,
        "num_mixtures": fitted.num_mixtures,
    }


def fitted_law(record: Mapping[str, Any]) -> FittedLaw:
    """Return the fitted law that `law_record` described."""
    validation_domains = tuple(record["validation_domains"])
    weights = _vector(record["weights"], validation_domains)
    columns, domains = Columns(validation_domains, weights), tuple(record["domains"])
    target, pipeline = Target(**record["target"]), make_pipeline(record["pipeline"])
    laws = []
    for each in record["laws"]:
        parameters = {
            name: _array(values, validation_domains, domains)
            for name, values in each["parameters"].items()
        }
        laws.append(law_of(each["name"], parameters, domains, validation_domains, target))
    return FittedLaw(
        law=as_one(pipeline, laws),
        pipeline=pipeline,
        target=target,
        domains=domains,
        columns=columns,
        noise=_vector(record["noise"], validation_domains),
        uncertainty=record["uncertainty"],
        level=record["level"],
        num_mixtures=record["num_mixtures"],
    )


def exact_parameters(law: Law) -> dict[str, np.ndarray]:
    """Return the parameters, (V,) or (V, K), from which `law_of` rebuilds the law."""
    return law.law.exact_parameters() if isinstance(law, JointAtTarget) else law.parameters()


def law_of(
    name: str,
    parameters: Mapping[str, np.ndarray],
    domains: tuple[str, ...],
    validation_domains: tuple[str, ...],
    target: Target,
) -> Law:
    """Build the law with this name from its exact parameters, at a target."""
    if name.startswith(JOINT_PREFIX):
        form = name.removeprefix(JOINT_PREFIX)
        law = JointLaw.from_exact_parameters(form, parameters, domains, validation_domains)
        return law.at(target)
    return MIXING_LAWS[name].from_parameters(parameters)


def as_one(pipeline: Pipeline, laws: list[Law]) -> Law:
    """Combine a pipeline's laws: the joint pipeline takes the mean of its forms."""
    return Ensemble(tuple(laws)) if pipeline.name == "joint" else laws[0]


def _record_of(law: Law, fitted: FittedLaw) -> dict[str, Any]:
    """Return a law's name and parameters, and for a joint law also the terms of its form."""
    rows, domains = fitted.columns.validation_domains, fitted.domains
    record: dict[str, Any] = {"name": law.name, "convex": law.convex}
    if isinstance(law, JointAtTarget):
        record |= {"terms": asdict(FORMS[law.law.form]), "schedule": law.law.schedule}
    record["parameters"] = {
        name: _named(rows, values)
        if values.ndim == 1
        else {row: _named(domains, part) for row, part in zip(rows, values, strict=True)}
        for name, values in exact_parameters(law).items()
    }
    return record


def _named(names: tuple[str, ...], values: np.ndarray) -> dict[str, float]:
    return dict(zip(names, map(float, values), strict=True))


def _vector(record: Mapping[str, float], names: tuple[str, ...]) -> np.ndarray:
    return np.array([record[name] for name in names], dtype=float)


def _array(
    record: Mapping[str, Any], rows: tuple[str, ...], domains: tuple[str, ...]
) -> np.ndarray:
    """Return a parameter as (V,), or as (V, K) if it depends on the domain."""
    if isinstance(record[rows[0]], Mapping):
        return np.array([_vector(record[row], domains) for row in rows])
    return _vector(record, rows)
