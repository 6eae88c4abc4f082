"""Every case from the field is read or is one message, as tests/field_outcomes.json says."""

import json

import datasets
import huggingface_hub.constants
import pytest
from conftest import folder_from
from field_cases import END, OUTCOMES, PAGE, START, configs_of, environment, outcome, table

EXPECTED = json.loads(OUTCOMES.read_text())


@pytest.fixture(autouse=True)
def offline(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


# Ten seconds and more each: a seventh of all configs, a megabyte without a blank, 300 domains.
SLOW = ("16-blank-in-project-path", "17-file-names", "24-very-long-words", "61-many-domains")
CASES = [pytest.param(case, marks=pytest.mark.slow if case in SLOW else ()) for case in EXPECTED]


@pytest.mark.parametrize("case", CASES)
def test_outcomes(case, tmp_path):
    field = folder_from("MIXLAWS_FIELD")
    assert list(EXPECTED[case]) == configs_of(field, case)
    for config, expected in EXPECTED[case].items():
        with environment(field, tmp_path / config):
            assert outcome(field, case, config, tmp_path / config) == expected


def test_no_case_is_left_out():
    field = folder_from("MIXLAWS_FIELD")
    assert sorted(path.name for path in field.glob("*/")) == sorted(EXPECTED)


def test_the_page_has_the_table():
    page = PAGE.read_text()
    assert page.split(START)[1].split(END)[0].strip().splitlines() == table(EXPECTED)


def test_every_message_is_an_error_of_the_user():
    """One kind of error, the problem, then what to do."""
    for found in EXPECTED.values():
        for words in found.values():
            assert words.startswith(("read", "ConfigError: ", "DataError: "))
