"""The base classes of a config's sections, and the types of their keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    AllowInfNan,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    Strict,
    ValidationInfo,
    WrapValidator,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

Problem = tuple[str, str]
"""A key, relative to its section, and what is wrong with it."""
NAME = "^[A-Za-z0-9][A-Za-z0-9_.-]*$"
DOMAIN_NAME = "^[A-Za-z0-9][A-Za-z0-9_-]*$"


class Section(BaseModel):
    """A section of the config. Each key has its type, default, unit, description and checks.

    `problems` checks keys against each other; the root calls it for all sections.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    _optional: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        extras = {name: field.json_schema_extra for name, field in cls.model_fields.items()}
        cls._optional = frozenset(
            name for name, extra in extras.items() if isinstance(extra, dict) and "absent" in extra
        )

    def problems(self) -> Iterator[Problem]:
        """Yield the contradictions between the keys of this section."""
        yield from ()

    @model_serializer(mode="wrap")
    def _leave_out_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out optional keys that are absent from the config."""
        values: dict[str, Any] = handler(self)
        return {
            key: value
            for key, value in values.items()
            if value is not None or key not in self._optional
        }


CHECKED = "checked"
"""The context of a validation that leaves the checks between keys out."""


class Root(Section):
    """A whole config. It calls the checks of all sections once every single key is valid."""

    @model_validator(mode="after")
    def _check_all(self, info: ValidationInfo) -> Root:
        if info.context == CHECKED:
            return self
        if found := list(_problems_below(self, "")):
            raise PydanticCustomError("problems", "problems", {"problems": found})
        return self


def _problems_below(value: Any, place: str) -> Iterator[Problem]:
    """Yield the problems of every section in a value, with full keys."""
    if isinstance(value, Section):
        for key, words in value.problems():
            yield ".".join(part for part in (place, key) if part), words
        children: Any = [(name, getattr(value, name)) for name in type(value).model_fields]
    elif isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    else:
        return
    for name, child in children:
        yield from _problems_below(child, f"{place}.{name}" if place else str(name))


def key(description: str, *, unit: str = "", **options: Any) -> Any:
    """Define a key with its description, its unit, and pydantic's default and limits."""
    extra: dict[str, Any] = {"unit": unit} if unit else {}
    return Field(description=description, json_schema_extra=extra, **options)


def optional(description: str, *, unit: str = "", **options: Any) -> Any:
    """Define a key that may be absent or null, and is then left out of the complete config."""
    extra: dict[str, Any] = {"absent": True} | ({"unit": unit} if unit else {})
    return Field(default=None, description=description, json_schema_extra=extra, **options)


def refuse(words: str) -> PydanticCustomError:
    """Return the error that refuses a value; `words` are shown after its key."""
    return PydanticCustomError("words", "{words}", {"words": words})


MOST = 2**63 - 1
"""Largest integer in a config: what numpy and Parquet hold."""


def _held(value: int) -> int:
    if abs(value) > MOST:
        raise refuse(f"must be at most {MOST:,}, found a number of {len(str(abs(value)))} digits")
    return value


def _integral(value: Any) -> Any:
    """Convert an integral float, such as 1.0e+9, to an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _as_given(value: Any, check: Any) -> Any:
    """Check an integer as a number, but keep it an integer."""
    checked = check(value)
    return value if isinstance(value, int) else checked


Integer = Annotated[int, Strict(), BeforeValidator(_integral), AfterValidator(_held)]
Number = Annotated[float, Strict(), AllowInfNan(False), WrapValidator(_as_given)]
Flag = Annotated[bool, Strict()]
Share = Annotated[Number, Field(ge=0, le=1)]
DomainName = Annotated[str, Field(pattern=DOMAIN_NAME)]
Name = Annotated[str, Field(pattern=NAME)]


def _in_order(limit: list[float]) -> list[float]:
    if limit[0] > limit[1]:
        raise refuse(f"the lower limit exceeds the upper one, found {limit[0]}, {limit[1]}")
    return limit


Limit = Annotated[list[Share], Field(min_length=2, max_length=2), AfterValidator(_in_order)]
"""Lower and upper limit of a share."""


@dataclass(frozen=True)
class OneOf:
    """Annotates a key whose value is one of the names in a registry."""

    names: tuple[Any, ...]

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.literal_schema(list(self.names))


@dataclass(frozen=True)
class Unique:
    """Annotates a list without repeated entries."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(schema) | {"uniqueItems": True}

    @staticmethod
    def _check(entries: list[Any]) -> list[Any]:
        twice = sorted({str(each) for each in entries if entries.count(each) > 1})
        if twice:
            raise refuse(f"must have each entry once, found several of {', '.join(twice)}")
        return entries
