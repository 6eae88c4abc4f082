"""The reference pages are complete, and the examples in Python say what they print."""

import doctest
import re

import numpy as np
import pytest
from doc_pages import PAGES, ROOT, name

from mixlaws import __version__
from mixlaws.__main__ import _parser
from mixlaws.laws.files import FittedLaw, save_law
from mixlaws.laws.mixing.additive import Additive
from mixlaws.laws.observations import Target
from mixlaws.laws.overall import Columns
from mixlaws.laws.pipelines import Nested


def test_every_command_and_option_is_on_the_page_of_commands():
    page = (ROOT / "docs" / "cli.md").read_text()
    (commands,) = (each for each in _parser()._actions if each.dest != "help")
    for command, parser in commands.choices.items():
        (section,) = re.findall(
            rf"^### mixlaws {command}\n\n(.*?)\n\n", page, re.MULTILINE | re.DOTALL
        )
        for action in parser._actions:
            for option in action.option_strings[:1]:
                assert option == "-h" or option in section, f"{command}: {option}"


def test_every_target_of_make_is_on_the_page_of_commands():
    page = (ROOT / "docs" / "cli.md").read_text()
    listed = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    targets = " ".join(listed).split()
    assert {"demo", "docs"} <= set(targets)
    for target in targets:
        assert f"`make {target}`" in page, target


def write_law(folder):
    """Write a law of the demo's domains, as `fit_laws` does."""
    domains = ("python", "docs", "cpp")
    measured = ("cpp", "docs", "python", "rst", "tests")
    law = Additive(np.full(5, 1.5), np.full((5, 3), 0.4), np.full((5, 3), 0.5))
    target = Target(num_params=3e5, compute_params=4e5, tokens=1e6, effective_tokens=1e6)
    columns = Columns.of({"docs": 0.7, "python": 0.15, "cpp": 0.15}, measured)
    save_law(
        folder, FittedLaw(law, Nested(), target, domains, columns, np.full(5, 0.01), {}, 0.9, 10)
    )


EXAMPLES = [page for page in PAGES if ">>>" in page.read_text()]


@pytest.mark.parametrize("page", EXAMPLES, ids=name)
def test_examples_print_what_they_say(page, tmp_path, monkeypatch):
    write_law(tmp_path / "results" / "demo" / "laws")
    monkeypatch.chdir(tmp_path)
    found = doctest.testfile(
        str(page), module_relative=False, optionflags=doctest.ELLIPSIS, encoding="utf-8"
    )
    assert found.attempted >= 5
    assert found.failed == 0


def test_every_page_is_in_the_table_of_contents():
    """Sphinx refuses a page that no table of contents names; this needs no Sphinx."""
    index = (ROOT / "docs" / "index.md").read_text()
    tables = re.findall(r"^```\{toctree\}\n(.*?)^```", index, re.DOTALL | re.MULTILINE)
    listed = re.findall(r"^(?:[A-Z].*<)?([a-z-]+)>?$", "\n".join(tables), re.MULTILINE)
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"}
    assert sorted(listed) == sorted(pages)


def test_links_between_files_lead_somewhere():
    """Also those that Sphinx does not see: of the README and of what pages include."""
    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if not link.startswith(("http://", "https://", "#")):
                assert (page.parent / link.partition("#")[0]).exists(), f"{name(page)}: {link}"


def test_the_version_is_the_same_everywhere():
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.search(rf"^version: {re.escape(__version__)}$", citation, re.MULTILINE)
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[{re.escape(__version__)}\]", changelog, re.MULTILINE)
