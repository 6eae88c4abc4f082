"""The chosen law at other targets: how far the data reach, and the grid of fitted laws."""

from dataclasses import replace

import numpy as np
import pytest
from planted import planted_observations

from mixlaws.laws.files import FittedLaw
from mixlaws.laws.observations import Target
from mixlaws.laws.overall import Columns
from mixlaws.laws.pipelines import Joint, Nested
from mixlaws.scoring.targets import axis, target_record

TARGET = Target(8e6, 9e6, 1.6e7, 1.6e7)


def fitted(observations, pipeline, target=TARGET):
    names = observations.validation_domains
    return FittedLaw(
        law=pipeline.fit(observations, target),
        pipeline=pipeline,
        target=target,
        domains=observations.domains,
        columns=Columns(names, np.full(len(names), 1 / len(names))),
        noise=np.zeros(len(names)),
        uncertainty={},
        level=0.9,
        num_mixtures=10,
    )


def test_the_axis_of_targets_holds_the_asked_one():
    assert axis(1e6, 8e6) == pytest.approx([1e6, 2e6, 4e6, 8e6, 16e6])
    assert axis(1e6, 1e6) == pytest.approx([62_500, 125_000, 250_000, 500_000, 1e6])
    assert axis(4e6, 1e6) == pytest.approx([250_000, 500_000, 1e6, 2e6, 4e6])
    for asked in (3.3e5, 1e6, 7.7e7):
        assert asked in axis(1e6, asked)


def test_a_nested_law_is_fitted_at_every_target_of_the_grid():
    observations = planted_observations()
    record = target_record(fitted(observations, Nested()), observations)
    grid = record["grid"]
    assert grid["num_params"] == pytest.approx(
        [4e6, 4e6 * 2 ** (1 / 3), 4e6 * 4 ** (1 / 3), 8e6, 8e6 * 2 ** (1 / 3)]
    )
    assert grid["tokens"] == pytest.approx(
        [8e6, 8e6 * 2 ** (1 / 3), 8e6 * 4 ** (1 / 3), 1.6e7, 1.6e7 * 2 ** (1 / 3)]
    )
    place = Target(grid["num_params"][1], 1.0, grid["tokens"][4], 1.0)
    law = Nested().fit(observations, place)
    (cell,) = grid["laws"][1][4]
    assert cell["name"] == "additive"
    assert list(cell["parameters"]["E"].values()) == pytest.approx(law.parameters()["E"])
    assert record["reach"] == {"num_params": 4e6, "tokens": 8e6, "token_unit": 1.0}
    assert record["compute"]["num_params"] == [1e6, 2e6, 4e6, 8e6]
    assert record["compute"]["compute_params"] == [1e6, 2e6, 4e6, 9e6]


def test_losses_of_one_size_leave_one_size_to_the_grid():
    observations = planted_observations(sizes={"S": 1e6})
    target = replace(TARGET, num_params=1e6, compute_params=1e6)
    grid = target_record(fitted(observations, Nested(), target), observations)["grid"]
    assert grid["num_params"] == [1e6]
    assert [len(row) for row in grid["laws"]] == [5]


def test_a_joint_law_needs_no_grid():
    observations = planted_observations()
    pipeline = Joint(forms=("F1",))
    record = target_record(fitted(observations, pipeline), observations)
    assert record["grid"] is None
    kept = observations.tokens >= pipeline.settings.early_cut * 8e6
    span = np.log(8e6 / observations.tokens[kept].min())
    assert record["reach"]["token_unit"] == pytest.approx(span)
