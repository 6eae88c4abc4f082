"""The pages of the documentation, the commands in them, and a reader who types these."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml
from workflow_project import copy_project

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "results" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
_BLOCK = re.compile(r"(?:^<!-- ([^\n]*?) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    page: Path
    line: int
    language: str
    text: str
    mark: str
    """The comment above it: `runs`, `tested: PATH::TEST` or `not tested: REASON`."""

    def __str__(self):
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self):
        """Return the commands; a backslash continues one on the next line."""
        return self.text.replace("\\\n", "").strip().splitlines()


def name(page):
    return page.relative_to(ROOT).as_posix()


def blocks(page):
    """Return every fenced block of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text[: found.start(2)].count("\n") + 1, found[2], found[3], found[1] or "")
        for found in _BLOCK.finditer(text)
    ]


def outside_blocks(page):
    """Return the text of a page without its fenced blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


SHELL = [block for page in PAGES for block in blocks(page) if block.language == "sh"]


def tutorial_config(written):
    """Return the config that `mixlaws init` wrote, changed as the tutorial says."""
    config = yaml.safe_load(written)
    for block in blocks(ROOT / "docs" / "tutorial.md"):
        if block.language == "yaml":
            config |= yaml.safe_load(block.text)
    return config


class Reader:
    """A reader with a clone, who has activated its environment."""

    def __init__(self, folder):
        self.project = copy_project(folder)
        self.folder = folder
        (folder / "docs").mkdir()
        shutil.copy(ROOT / "docs" / "three_folders.py", folder / "docs")

    def run(self, command, timeout=120):
        """Run a command in the clone's root; return what it prints."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        found = subprocess.run(
            ["bash", "-euc", command],
            cwd=self.folder,
            env=self.project.environment() | {"PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        assert found.returncode == 0, f"{command}\n{found.stdout}"
        return found.stdout
