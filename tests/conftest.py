"""Folders of outside data: tests that need them skip with a reason where they are absent.

With MIXLAWS_NO_SKIPS set (as .ci/run does) a skipped test fails the session.
"""

import os
from pathlib import Path

import pytest
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
    """Run the smoke experiment once for all tests; they must leave its results as they are."""
    project = copy_project(tmp_path_factory.mktemp("smoke"))
    project.snakemake()
    return project


@pytest.fixture
def fresh(tmp_path):
    """Return a copy of the project without results."""
    return copy_project(tmp_path / "project")
