"""The registry of sources: their keys, their schema, and what importing them costs."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest

from mixlaws.text import sources
from mixlaws.text.division import plan_parts
from mixlaws.text.documents import read_record, read_texts
from mixlaws.text.parts import Part
from mixlaws.text.reading import read_part
from mixlaws.text.sources import SOURCES, make_source
from mixlaws.text.sources.source import Reading, SourceText, TextSource, key


def test_keys_of_the_source_itself_come_first():
    assert list(SOURCES["files"].keys())[:2] == ["paths", "text_field"]
    assert SOURCES["files"].required() == ["paths"]


def test_null_takes_the_default():
    assert make_source("web", {"source": "files", "paths": ["a"], "on_bad_lines": None}) == (
        SOURCES["files"](paths=["a"])
    )


def test_importing_the_sources_is_cheap(root):
    """The Snakefile imports them and is parsed again in every job."""
    code = (
        "import sys; import mixlaws.text.division; heavy = ('datasets', 'pyarrow', 'tokenizers', "
        "'pandas', 'torch', 'simpleeval', 'rensa'); print([m for m in heavy if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr


@dataclass(frozen=True, kw_only=True)
class _Lines(TextSource):
    """A source as someone might add one."""

    name: ClassVar[str] = "lines"

    lines: Sequence[str] = key("The documents.", type="array", items={"type": "string"})

    def open(self, part):
        texts = (SourceText(line, 1) for line in self.lines)
        return Reading(texts, len(self.lines), [part.index])


@pytest.fixture
def added(monkeypatch):
    monkeypatch.setitem(sources.SOURCES, "lines", _Lines)


@pytest.mark.usefixtures("added")
def test_a_new_source_is_one_class_and_one_entry(tmp_path):
    options = {"source": "lines", "lines": ["one", "two", "three"], "max_bytes": 5}
    assert plan_parts("web", options, part_bytes=1) == [Part()]
    read_part("web", options, Part(), validation_share=1.0, output=tmp_path / "a.parquet")
    assert list(read_texts(tmp_path / "a.parquet", split="validation", dropped=())) == [
        "one",
        "two",
    ]
    record = read_record(tmp_path / "a.parquet")
    assert record["text_bytes_before_cap"] == 9
    assert record["choice"]["max_bytes"] == 5
    assert SOURCES["lines"].required() == ["lines"]
