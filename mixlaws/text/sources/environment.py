"""The source `embedded`: text that is already there, in the Python environment of the workflow.

Nothing is downloaded and no text is shipped. An allow-list of packages, visited in the order of a
hash of their files' names, gives the same text for the same pinned environment, and a fair sample
of it when a cap stops the visit early.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import os
import re
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import ClassVar

from mixlaws.errors import ConfigError
from mixlaws.text.extraction import LEGAL, docstrings, python_code, without_licence
from mixlaws.text.parts import Part
from mixlaws.text.sources.source import Reading, SourceText, TextSource, key

# The project's runtime dependencies with pure Python or headers. Not all of site-packages: linters
# and test tools there differ between machines, and so would the text.
PACKAGES = (
    "aiohttp",
    "datasets",
    "docutils",
    "fsspec",
    "huggingface_hub",
    "jinja2",
    "jsonschema",
    "lightning",
    "matplotlib",
    "mpmath",
    "networkx",
    "numpy",
    "pandas",
    "pulp",
    "pyarrow",
    "scipy",
    "seaborn",
    "setuptools",
    "snakemake",
    "sqlalchemy",
    "sympy",
    "tokenizers",
    "torch",
    "torchmetrics",
)

MIN_DOCUMENT_CHARACTERS = 200
# A line this long is data, minified or generated.
MAX_LINE_CHARACTERS = 1000
# No file may dominate a domain; the largest files are tables and change logs.
MAX_FILE_BYTES = 100_000
# With a smaller share of letters among its visible characters a file is a table, not text.
MIN_LETTER_SHARE = 0.5

_GENERATED = re.compile(
    r"auto-?generated|automatically generated|@generated|do not (edit|modify)"
    r"|\bgenerated (automatically|by|file|from|using|and used)",
    re.IGNORECASE,
)
# Other packages may be inside the standard library's folder; they are not on the list.
_FOREIGN_FOLDERS = {"site-packages", "dist-packages", "__pycache__"}
# One small header per operator of torch; three quarters of them are near duplicates.
_GENERATED_FOLDER = "/ATen/ops/"
_TEST_NAME = re.compile(r"/(tests?|testing|test_[^/]*\.py|[^/]*_tests?\.py|conftest\.py)(/|$)")


@dataclass(frozen=True)
class _Candidate:
    """A file or entry that may become a document."""

    name: str
    num_bytes: int
    read: Callable[[], str]


def environment_roots() -> dict[str, Path]:
    """Return the folders to harvest, by name: the standard library and the installed packages."""
    roots = {"stdlib": Path(sysconfig.get_path("stdlib"))}
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            roots[package] = Path(spec.submodule_search_locations[0])
    return roots


def open_harvest(kind: str, roots: Mapping[str, Path]) -> Reading:
    """Open one kind of harvest, a key of HARVESTS: whole files in hash order of their names.

    A file that is dropped is yielded too, with the reason, so that every file is accounted for.
    The units of the reading are bytes of source files.
    """
    list_candidates, extract = HARVESTS[kind]
    candidates = sorted(list_candidates(roots), key=lambda item: (_hash(item.name), item.name))
    listing = [(candidate.name, candidate.num_bytes) for candidate in candidates]
    return Reading(
        texts=_read(candidates, extract),
        total_units=sum(candidate.num_bytes for candidate in candidates),
        sample=lambda _: "files in hash order",
        listing=[_hash(json.dumps([sys.version_info[:3], listing]))],
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read(candidates: Iterable[_Candidate], extract: Callable[[str], str]) -> Iterator[SourceText]:
    for candidate in candidates:
        units = candidate.num_bytes
        if units > MAX_FILE_BYTES:
            yield SourceText("", units, "too large")
            continue
        try:
            raw = candidate.read()
            text = extract(raw)
        except (UnicodeDecodeError, SyntaxError, ValueError):
            yield SourceText("", units, "not readable")
            continue
        yield SourceText(text, units, _reason_to_drop(raw, text))


def _reason_to_drop(raw: str, text: str) -> str:
    """Return why the text of a file is not a document, or an empty string."""
    if _GENERATED.search(raw[:2000]):
        return "generated"
    if len(text) < MIN_DOCUMENT_CHARACTERS:
        return "too short"
    if max(map(len, text.splitlines())) > MAX_LINE_CHARACTERS:
        return "long lines"
    visible = "".join(text.split())
    if sum(map(str.isalpha, visible)) < MIN_LETTER_SHARE * len(visible):
        return "few letters"
    return ""


def _files(
    roots: Mapping[str, Path], *, suffixes: tuple[str, ...], tests: bool = False
) -> Iterator[_Candidate]:
    """List the files of the roots that are tests, or those that are not."""
    for root, top in roots.items():
        for folder, subfolders, names in os.walk(top):
            subfolders[:] = [name for name in subfolders if name not in _FOREIGN_FOLDERS]
            place = Path(folder)
            prefix = (PurePosixPath(root) / place.relative_to(top)).as_posix()
            for name in names:
                path = place / name
                if (
                    name.endswith(suffixes)
                    and _is_wanted(f"{prefix}/{name}", tests=tests)
                    and path.is_file()
                ):
                    read = partial(path.read_text, encoding="utf-8")
                    yield _Candidate(f"{prefix}/{name}", path.stat().st_size, read)


def _is_wanted(name: str, *, tests: bool) -> bool:
    if _GENERATED_FOLDER in name or LEGAL.search(PurePosixPath(name).name):
        return False
    return bool(_TEST_NAME.search(name)) == tests


def _documentation(roots: Mapping[str, Path]) -> Iterator[_Candidate]:
    yield from _files(roots, suffixes=(".py",))
    topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    for topic, text in topics.items():
        # As a module with one docstring, so that `docstrings` extracts files and topics alike.
        yield _Candidate(f"pydoc/{topic}", len(text.encode()), partial(repr, text))


def _prose(roots: Mapping[str, Path]) -> Iterator[_Candidate]:
    yield from _files(roots, suffixes=(".rst", ".md"))
    for name in _distributions(roots):
        text = str(metadata.metadata(name).json.get("description", ""))
        yield _Candidate(f"description/{name}", len(text.encode()), partial(str, text))


def _distributions(roots: Mapping[str, Path]) -> list[str]:
    """Return the installed distributions of the roots and all that they require, sorted."""
    pending = list(roots)
    found: set[str] = set()
    while pending:
        name = re.sub(r"[-_.]+", "-", pending.pop()).lower()
        try:
            requirements = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        if name not in found:
            found.add(name)
            pending += [
                re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
                for requirement in requirements
                if "extra ==" not in requirement
            ]
    return sorted(found)


# The kinds of harvest: how to list their files, and how to extract the text of one.
HARVESTS: dict[
    str, tuple[Callable[[Mapping[str, Path]], Iterator[_Candidate]], Callable[[str], str]]
] = {
    "python": (partial(_files, suffixes=(".py",)), python_code),
    "docs": (_documentation, docstrings),
    "cpp": (partial(_files, suffixes=(".h", ".hpp", ".cuh")), without_licence),
    "tests": (partial(_files, suffixes=(".py",), tests=True), python_code),
    "rst": (_prose, without_licence),
}


@dataclass(frozen=True, kw_only=True)
class EnvironmentSource(TextSource):
    """Text of the running Python environment."""

    name: ClassVar[str] = "embedded"

    harvest: str = key(
        "Kind of text to take from the installed Python environment.", enum=list(HARVESTS)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.harvest not in HARVESTS:
            raise ConfigError(
                f"unknown harvest {self.harvest!r}. Set harvest to one of {', '.join(HARVESTS)}"
            )

    def open(self, part: Part) -> Reading:  # noqa: ARG002 (it has one part)
        """Open the harvest; units are bytes of source files."""
        return open_harvest(self.harvest, environment_roots())
