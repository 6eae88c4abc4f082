"""The fitted law as a file: law.json holds all that a prediction at any mixture needs.

A program in any language evaluates a law from its name, the formula in that law's docstring and
the parameters, which are given per validation domain and, where they differ by it, per domain.
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
    """The law at the target, with what its intervals need."""

    law: Law
    pipeline: Pipeline
    """What fitted it."""
    target: Target
    domains: tuple[str, ...]
    columns: Columns
    noise: np.ndarray
    """(V,) root mean square of what the law leaves of the losses that it was fitted to, nats."""
    uncertainty: Mapping[str, Any]
    """What `Uncertainty.record` of scoring wrote: the half-widths of losses and differences."""
    level: float
    """Of the intervals."""
    num_mixtures: int
    """Mixtures that it was fitted to."""


def save_law(folder: str | Path, fitted: FittedLaw) -> None:
    """Write law.json into a folder, atomically."""
    write_json(law_record(fitted), Path(folder) / LAW_FILE)


def load_law(folder: str | Path) -> Law:
    """Return the law of a folder's law.json; a joint law has `at` for any other target."""
    return load_fitted(folder).law


def load_fitted(folder: str | Path) -> FittedLaw:
    """Return what `save_law` wrote; raise DataError naming the file when it is another thing."""
    path = Path(folder) / LAW_FILE
    record = read_json(path)
    try:
        return fitted_law(record)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise DataError(
            f"{path} is no fitted law of this version ({type(error).__name__}: {error}). Delete "
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
    """Return the parameters, (V,) or (V, K), from which `law_of` makes the law again."""
    return law.law.exact_parameters() if isinstance(law, JointAtTarget) else law.parameters()


def law_of(
    name: str,
    parameters: Mapping[str, np.ndarray],
    domains: tuple[str, ...],
    validation_domains: tuple[str, ...],
    target: Target,
) -> Law:
    """Return the law of a name with its exact parameters, at a target."""
    if name.startswith(JOINT_PREFIX):
        form = name.removeprefix(JOINT_PREFIX)
        law = JointLaw.from_exact_parameters(form, parameters, domains, validation_domains)
        return law.at(target)
    return MIXING_LAWS[name].from_parameters(parameters)


def as_one(pipeline: Pipeline, laws: list[Law]) -> Law:
    """Return what a pipeline makes of its laws: the mean of several forms, or the one law."""
    return Ensemble(tuple(laws)) if pipeline.name == "joint" else laws[0]


def _record_of(law: Law, fitted: FittedLaw) -> dict[str, Any]:
    """Return one law's name, parameters and, of a joint law, the terms that its form has."""
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
    """Return (V,), or (V, K) where the parameter differs by domain."""
    if isinstance(record[rows[0]], Mapping):
        return np.array([_vector(record[row], domains) for row in rows])
    return _vector(record, rows)
