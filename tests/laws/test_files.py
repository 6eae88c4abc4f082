"""A fitted law is the same after it is written and read."""

import json

import numpy as np
import pandas as pd
import pytest
from planted import planted_observations

from mixlaws.decision.bootstrap import Sampling, bootstrap
from mixlaws.decision.replicates import read_replicates, write_replicates
from mixlaws.errors import DataError
from mixlaws.files import read_json, write_json
from mixlaws.laws.files import FittedLaw, load_fitted, load_law, save_law
from mixlaws.laws.joint.fit import JointSettings
from mixlaws.laws.joint.forms import FORMS
from mixlaws.laws.law import members
from mixlaws.laws.mixing import MIXING_LAWS
from mixlaws.laws.nested import PAPER_SETTINGS
from mixlaws.laws.observations import Target
from mixlaws.laws.overall import Columns
from mixlaws.laws.pipelines import Joint, LogLog, Nested, make_pipeline, pipeline_record
from mixlaws.tables import write_table

OBSERVATIONS = planted_observations(num_mixtures=12, noise=0.005)
TARGET = Target(8e6, 8e6, 16e6, 14e6, 0.3)
SHARES = np.concatenate([np.eye(3), np.random.default_rng(0).dirichlet(np.ones(3), 9)])
PIPELINES = (
    *(Nested(name) for name in MIXING_LAWS),
    *(Joint((form,), JointSettings(schedule=False)) for form in FORMS),
    Joint(("F1", "F6"), JointSettings(schedule=True)),
    LogLog("exponential"),
)


def fitted_by(pipeline):
    return FittedLaw(
        law=pipeline.fit(OBSERVATIONS, TARGET),
        pipeline=pipeline,
        target=TARGET,
        domains=OBSERVATIONS.domains,
        columns=Columns(OBSERVATIONS.validation_domains, np.array([0.1, 0.2, 0.3, 0.4])),
        noise=np.array([0.01, 0.02, 0.03, 0.04]),
        uncertainty={"levels": {"scale": [0.0, 1 / 30, 0.1]}, "distance": [0.0, 0.7]},
        level=0.9,
        num_mixtures=12,
    )


def name_of(pipeline):
    return "-".join([pipeline.name, *getattr(pipeline, "forms", [getattr(pipeline, "mixing", "")])])


@pytest.mark.parametrize("pipeline", PIPELINES, ids=name_of)
def test_a_law_that_is_read_predicts_what_the_written_one_does(tmp_path, pipeline):
    fitted = fitted_by(pipeline)
    save_law(tmp_path, fitted)
    law, read = load_law(tmp_path), load_fitted(tmp_path)
    np.testing.assert_allclose(law.predict(SHARES), fitted.law.predict(SHARES), rtol=1e-12)
    np.testing.assert_allclose(law.gradient(SHARES), fitted.law.gradient(SHARES), rtol=1e-12)
    assert (law.name, law.convex) == (fitted.law.name, fitted.law.convex)
    assert (read.pipeline, read.target, read.domains) == (pipeline, TARGET, fitted.domains)
    assert read.columns.names == fitted.columns.names
    for one, other in (
        (read.columns.weights, fitted.columns.weights),
        (read.noise, fitted.noise),
    ):
        assert np.array_equal(one, other)
    assert read.uncertainty == fitted.uncertainty
    assert (read.level, read.num_mixtures) == (0.9, 12)


def test_a_joint_law_that_is_read_predicts_other_targets_too(tmp_path):
    fitted = fitted_by(Joint(("F3", "F7"), JointSettings(schedule=True)))
    save_law(tmp_path, fitted)
    far = Target(1e9, 1e9, 1e10, 5e9, 0.9)
    for one, other in zip(members(load_law(tmp_path)), members(fitted.law), strict=True):
        assert np.array_equal(one.law.theta, other.law.theta)
        assert np.array_equal(one.law.predict(far, SHARES), other.law.predict(far, SHARES))


@pytest.mark.parametrize("pipeline", [Nested("M1"), Joint(("F1", "F6"))], ids=name_of)
def test_replicates_are_read_as_they_were_written(tmp_path, pipeline):
    fitted, path = fitted_by(pipeline), tmp_path / "replicates.parquet"
    drawn = bootstrap(
        pipeline, OBSERVATIONS, TARGET, sampling=Sampling(3), fitted=fitted.law
    ).replicates
    write_replicates(drawn, fitted, path)
    read = read_replicates(path, fitted)
    assert len(read) == 3
    for one, other in zip(read, drawn, strict=True):
        np.testing.assert_allclose(one.predict(SHARES), other.predict(SHARES), rtol=1e-12)


def test_law_json_is_plain(tmp_path):
    """Evaluate the additive law from the file alone, as a program in another language would."""
    fitted = fitted_by(Nested())
    save_law(tmp_path, fitted)
    record = json.loads((tmp_path / "law.json").read_text())
    (law,) = record["laws"]
    shares = dict(zip(record["domains"], SHARES[5], strict=True))
    for place, name in enumerate(record["validation_domains"]):
        E, C, g = (law["parameters"][parameter][name] for parameter in ("E", "C", "g"))
        loss = E + 1 / sum(C[d] * share ** g[d] for d, share in shares.items())
        assert loss == pytest.approx(fitted.law.predict(SHARES)[5, place], rel=1e-12)


@pytest.mark.parametrize(
    "pipeline",
    [Nested("M1", PAPER_SETTINGS), Joint(("F7",), JointSettings(early_cut=0.4)), LogLog()],
    ids=name_of,
)
def test_a_pipeline_is_the_same_after_json(pipeline):
    assert make_pipeline(json.loads(json.dumps(pipeline_record(pipeline)))) == pipeline


def test_files_of_another_version_are_refused(tmp_path):
    save_law(tmp_path, fitted_by(Nested()))
    record = read_json(tmp_path / "law.json")
    del record["pipeline"]["settings"]["early_cut"]
    write_json(record, tmp_path / "law.json")
    with pytest.raises(DataError, match="early_cut of a fitted law are unknown or missing"):
        load_law(tmp_path)
    with pytest.raises(DataError, match="an unknown pipeline, 'nesting'"):
        make_pipeline({"name": "nesting"})
    write_json({"laws": []}, tmp_path / "law.json")
    with pytest.raises(DataError, match=r"law.json is not a fitted law of this version \(KeyError"):
        load_law(tmp_path)


def test_an_incomplete_table_of_replicates_is_refused(tmp_path):
    fitted, path = fitted_by(Nested()), tmp_path / "replicates.parquet"
    write_replicates([fitted.law], fitted, path)
    table = pd.read_parquet(path)
    write_table(table[1:], path)
    with pytest.raises(DataError, match="of the law additive are incomplete"):
        read_replicates(path, fitted)
