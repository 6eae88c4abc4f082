"""Shared fixtures. Tests that need outside data are skipped, with a reason, if it is absent.

With MIXLAWS_NO_SKIPS set (as .ci/run does) a skipped test fails the session.
"""

import copy
import os
import shutil
from pathlib import Path

import pytest
from fixture_truth import Planted
from workflow_project import copy_project

_skipped: list[str] = []


def pytest_runtest_logreport(report):
    if report.skipped:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session, exitstatus):
    if os.environ.get("MIXLAWS_NO_SKIPS") and _skipped and exitstatus == 0:
        print(f"\nno test may skip here, but these did: {', '.join(_skipped)}")
        session.exitstatus = 1


def folder_from(variable: str) -> Path:
    """Return the folder an environment variable names, or skip the test."""
    if not os.environ.get(variable):
        pytest.skip(f"{variable} is not set: it names the folder of outside data")
    folder = Path(os.environ[variable])
    assert folder.is_dir(), f"{variable} must name a folder, got {folder}"
    return folder


@pytest.fixture(scope="session")
def published() -> Path:
    """Return the folder of the published loss logs."""
    return folder_from("MIXLAWS_PUBLISHED")


@pytest.fixture(scope="session")
def corpora() -> Path:
    """Return the folder of real text in RedPajama-like domains."""
    return folder_from("MIXLAWS_CORPORA")


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the project's root."""
    return Path(__file__).parent.parent


@pytest.fixture(scope="session")
def smoke(tmp_path_factory):
    """Run the smoke experiment once for all tests, which must not change its results."""
    project = copy_project(tmp_path_factory.mktemp("smoke"))
    project.snakemake()
    return project


@pytest.fixture
def fresh(tmp_path):
    """Return a copy of the project without results."""
    return copy_project(tmp_path / "project")


@pytest.fixture(scope="session")
def write_results(tmp_path_factory):
    """Return a function that writes the results of a planted truth, and its config, into a folder.

    Each truth is computed once per session and then copied.
    """
    # Imported here: the results need torch, and most tests do without.
    from fixture_results import make_results

    made, usual = {}, Planted()

    def write(folder, planted=usual):
        if planted not in made:
            results = tmp_path_factory.mktemp("results")
            made[planted] = results, make_results(results, planted)
        results, config = made[planted]
        shutil.copytree(results, folder, dirs_exist_ok=True)
        return copy.deepcopy(config)

    return write
