"""The functions of `mixlaws` for Python, and its docstring's example."""

import doctest
import subprocess
import sys

import pytest
from own_tables import grid_mixtures, grid_table, long_table, write

import mixlaws
from mixlaws import api
from mixlaws.errors import ConfigError, FitError


def test_importing_mixlaws_is_light():
    code = "import sys, mixlaws; print([m for m in ('numpy', 'pandas') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
    assert {name for name in mixlaws.__all__ if getattr(mixlaws, name)} == set(mixlaws.__all__)
    with pytest.raises(AttributeError, match="module 'mixlaws' has no attribute 'train'"):
        mixlaws.train  # noqa: B018


def test_the_example_in_the_docstring_runs(tmp_path, monkeypatch):
    write(tmp_path, grid_table(), grid_mixtures())
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(api)
    assert (found.failed, found.attempted > 5) == (0, True)


def test_predictions_are_those_of_the_decision(tmp_path):
    swarm = mixlaws.read_swarm(**write(tmp_path, grid_table(), grid_mixtures()))
    law = mixlaws.fit(swarm, laws={"pipeline": "nested", "mixing": "additive"})
    decision = mixlaws.decide(law, named={"ours": {"web": 0.25, "code": 0.75}}, replicates=10)
    found = mixlaws.predict(law, decision["proportions"])
    assert found["overall"]["value"] == pytest.approx(decision["predicted"]["overall"]["value"])
    ours = mixlaws.predict(law, {"web": 0.25, "code": 0.75})
    assert decision["baselines"]["ours"]["predicted"] == ours
    assert decision["named"] == ["ours"]
    # The loss falls with code on web and rises on code alike: the middle is as good as any.
    middle = mixlaws.predict(law, {"web": 0.5, "code": 0.5})["overall"]
    assert middle["lower"] <= middle["value"] <= middle["upper"]
    with pytest.raises(ConfigError, match=r"unknown domains: books. The law knows web, code"):
        mixlaws.predict(law, {"web": 0.5, "books": 0.5})


def test_a_target_that_one_point_cannot_answer(tmp_path):
    table = long_table().query("size == '1M' and tokens == 40_000")
    swarm = mixlaws.read_swarm(**write(tmp_path, table))
    with pytest.raises(FitError, match=r"losses of one size .* cannot be extrapolated to another"):
        mixlaws.fit(swarm, target="1B:100B", laws={"mixing": "additive"})
    with pytest.raises(ConfigError, match=r"the target is '1B:lots'. Write it as SIZE:TOKENS"):
        mixlaws.fit(swarm, target="1B:lots")
