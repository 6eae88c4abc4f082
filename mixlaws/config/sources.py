"""The config's sections for the sources of text, built from the registry of sources.

Each source defines its keys in mixlaws/text/sources; they are not repeated here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional, Union

from pydantic import AfterValidator, Field, WithJsonSchema, create_model

from mixlaws.config.section import (
    DomainName,
    Flag,
    Integer,
    Problem,
    Section,
    key,
    optional,
    refuse,
)
from mixlaws.text.sources import SOURCES
from mixlaws.text.sources.source import Source

_TYPES: dict[str, Any] = {"string": str, "integer": Integer, "boolean": Flag}
_LIMITS = {"minimum": "ge", "minItems": "min_length"}


class DomainSection(Section):
    """The keys that every kind of source has."""

    def problems(self) -> Iterator[Problem]:
        """Yield a problem if no text can have an allowed length."""
        least, most = (getattr(self, f"{name}_characters", None) for name in ("min", "max"))
        if least and most and least > most:
            yield "min_characters", f"must be at most max_characters ({most:,}), found {least:,}"

    source: str = key("Where the text comes from.")
    available_tokens: Integer | None = optional(
        "Tokens of this domain available to the target; absent means no limit.",
        unit="tokens",
        ge=1,
    )


def _section_of(name: str, source: type[Source]) -> type[Section]:
    """Return the section of one source, with a key for each of its fields."""
    keys: dict[str, Any] = {"source": (Literal[name], key("Kind of source of the text."))}
    for each, stated in source.keys().items():
        schema = dict(stated.schema)
        options = {_LIMITS[k]: schema[k] for k in _LIMITS if k in schema and stated.check is None}
        if "default" in schema:
            options["default"] = schema["default"]
        described = key(schema["description"], unit=stated.unit, **options)
        keys[each] = (_type_of(schema, stated.check), described)
    doc = (source.__doc__ or "").splitlines()[0]
    model: type[Section] = create_model(
        source.__name__, __base__=DomainSection, __doc__=doc, **keys
    )
    return model


def _type_of(schema: dict[str, Any], check: Callable[[Any], str] | None) -> Any:
    """Return the type of a key from the JSON schema of its value and its check."""
    if "enum" in schema:
        return Literal[tuple(schema["enum"])]
    stated = schema.get("type", [])
    kinds = [stated] if isinstance(stated, str) else [kind for kind in stated if kind != "null"]
    if "anyOf" in schema:  # the check tests the value against the alternatives
        found: Any = Annotated[Any, WithJsonSchema({"anyOf": schema["anyOf"]})]
    elif kinds == ["array"]:
        found = list[_TYPES[schema["items"]["type"]]]  # type: ignore[misc]  # noqa: F821
    else:
        (found,) = (_TYPES[kind] for kind in kinds)
    if check is not None:
        found = Annotated[found, AfterValidator(_checked(check))]
    return Optional[found] if "null" in stated else found  # noqa: UP045 (a type made at run time)


def _checked(check: Callable[[Any], str]) -> Callable[[Any], Any]:
    """Return a validator that refuses a value with the message of a check."""

    def validate(value: Any) -> Any:
        if problem := check(value):
            raise refuse(problem)
        return value

    return validate


_SECTIONS = tuple(_section_of(name, source) for name, source in SOURCES.items())
if TYPE_CHECKING:
    Domain = DomainSection
else:
    Domain = Annotated[Union[_SECTIONS], Field(discriminator="source")]  # noqa: UP007
Domains = dict[DomainName, Domain]
