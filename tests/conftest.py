"""Folders of outside data: tests that need them skip with a reason where they are absent."""

import os
from pathlib import Path

import pytest


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
