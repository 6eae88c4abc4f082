"""Sources: where the data of a domain can come from.

A new source is one module in this folder and its class in the list below.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixlaws.errors import ConfigError, located
from mixlaws.text.sources.environment import EnvironmentSource
from mixlaws.text.sources.files import FilesSource
from mixlaws.text.sources.huggingface import HuggingFaceSource
from mixlaws.text.sources.source import Source, TextSource
from mixlaws.text.sources.token_files import TokenFilesSource

_CLASSES: list[type[Source]] = [
    EnvironmentSource,
    FilesSource,
    HuggingFaceSource,
    TokenFilesSource,
]
SOURCES = {each.name: each for each in _CLASSES}
"""The class of each value that `source` may have in the config."""
_DOMAIN_KEYS = ("source", "available_tokens")


def make_source(domain: str, options: Mapping[str, Any]) -> Source:
    """Return the source of a domain of the config; a key that is null has its default.

    Raises ConfigError, naming the domain, when the source is unknown, or a key is unknown, missing
    or wrong.
    """
    kind = options.get("source")
    if kind not in SOURCES:
        raise ConfigError(
            f"domain {domain!r}: unknown source {kind!r}. Set source to one of {', '.join(SOURCES)}"
        )
    chosen = SOURCES[kind]
    given = {k: v for k, v in options.items() if v is not None and k not in _DOMAIN_KEYS}
    keys = chosen.keys()
    problems = [f"unknown key {name!r}" for name in given if name not in keys]
    problems += [f"{name!r} is missing" for name in chosen.required() if name not in given]
    if problems:
        raise ConfigError(
            f"domain {domain!r}: {', '.join(problems)}. The keys of source {kind!r} are "
            f"{', '.join(keys)}; required: {', '.join(chosen.required())}"
        )
    with located(f"domain {domain!r}"):
        return chosen(**given)


def make_text_source(domain: str, options: Mapping[str, Any]) -> TextSource:
    """Return the source of a domain whose text is read.

    Raises ConfigError like `make_source`, and for a source that gives tokens instead of text.
    """
    source = make_source(domain, options)
    if not isinstance(source, TextSource):
        kinds = [name for name, each in SOURCES.items() if each.holds_text]
        raise ConfigError(
            f"domain {domain!r}: source {source.name!r} has no text to read. Set source to one of "
            f"{', '.join(kinds)}"
        )
    return source
