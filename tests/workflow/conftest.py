"""The smoke experiment, run once for all tests of the wiring."""

import pytest
from workflow_project import copy_project


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
