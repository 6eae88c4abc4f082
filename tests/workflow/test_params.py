"""Params of rules are plain built-ins, because Snakemake does not compare other types."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

LIST_PARAMS = Path(__file__).with_name("list_params.py")
PLAIN = {"dict", "list", "str", "int", "float", "bool", "NoneType"}


def params_of(project, config):
    """Return the types in every param of a whole run."""
    command = [sys.executable, str(LIST_PARAMS), config]
    result = subprocess.run(
        command, cwd=project.folder, env=project.environment(), capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("config", "rule", "least"),
    [
        ("tests/workflow/smoke.yaml", "write_mixtures", 60),
        ("experiments/paper.yaml", "score_pipelines", 30),
    ],
)
def test_every_param_is_built_of_plain_types(fresh, config, rule, least):
    found = params_of(fresh, config)
    assert len(found) >= least
    assert any(param.startswith(f"{rule}.") for param in found)
    assert {param: types for param, types in found.items() if set(types) - PLAIN} == {}


def test_a_section_in_a_param_would_be_noticed(fresh):
    """The check fails if a param contains a model."""
    rules = fresh.folder / "workflow/rules/common.smk"
    text = rules.read_text()
    assert "TARGET = describe_target(SECTIONS)\n" in text
    spoiled = "TARGET = frozenset({1})\n"
    rules.write_text(text.replace("TARGET = describe_target(SECTIONS)\n", spoiled))
    found = params_of(fresh, "tests/workflow/smoke.yaml")
    assert "frozenset" in found["score_laws.target"]
