"""Shared fixtures. Tests that need outside data are skipped, with a reason, if it is absent.

With MIXLAWS_NO_SKIPS set (as .ci/run does) a skipped test fails the session.
"""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock
from fixture_truth import Planted
from workflow_project import Project, copy_project

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


def session_folder(tmp_path_factory) -> Path:
    """Return the folder that all workers of a session share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def smoke(tmp_path_factory):
    """Run the smoke experiment once for all tests, which must not change its results."""
    made = session_folder(tmp_path_factory) / "smoke"
    with FileLock(f"{made}.lock"):
        if not made.with_suffix(".done").exists():
            copy_project(made).snakemake()
            made.with_suffix(".done").touch()
    folder = tmp_path_factory.mktemp("smoke")
    subprocess.run(["cp", "-a", f"{made}/.", str(folder)], check=True)
    return Project(folder)


@pytest.fixture
def fresh(tmp_path):
    """Return a copy of the project without results."""
    return copy_project(tmp_path / "project")


@pytest.fixture(scope="session")
def write_results(tmp_path_factory):
    """Return a function that writes the results of a planted truth, and its config, into a folder.

    Each truth is computed once per session, by whichever worker is first, and then copied.
    """
    # Imported here: the results need torch, and most tests do without.
    from fixture_results import make_results

    usual, shared = Planted(), session_folder(tmp_path_factory)

    def write(folder, planted=usual):
        made = shared / f"planted-{hashlib.sha256(repr(planted).encode()).hexdigest()[:16]}"
        with FileLock(f"{made}.lock"):
            if not made.with_suffix(".json").exists():
                config = make_results(made, planted)
                made.with_suffix(".json").write_text(json.dumps(config))
        shutil.copytree(made, folder, dirs_exist_ok=True)
        return json.loads(made.with_suffix(".json").read_text())

    return write
