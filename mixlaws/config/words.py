"""Messages about a wrong config, one line each: `key: what is wrong, what was found`."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic_core import ErrorDetails

from mixlaws.config.section import DOMAIN_NAME, NAME, Section

_KINDS = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
}
_LIMITS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}
_PATTERNS = {
    NAME: "must consist of letters, digits, dots, hyphens and underscores, and start with a letter "
    "or digit",
    DOMAIN_NAME: "must consist of letters, digits, hyphens and underscores, and start with a "
    "letter or digit",
    "^[0-9a-f]{64}$": "must be a sha256: 64 digits from 0 to 9 and a to f",
}
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def explain(root: type[Section], errors: Sequence[ErrorDetails]) -> list[str]:
    """Return one line per problem from the errors of validating a config as `root`."""
    return list(dict.fromkeys(line for error in errors for line in _lines(root, error)))


def child_of(annotation: Any, part: Any) -> tuple[Any, bool]:
    """Return the annotation one step down a config, and whether the step is a kind of source.

    `part` is a key, a position in a list, or the kind of a source, which pydantic inserts between a
    domain and its keys and which is not a key of the file.
    """
    for each in alternatives(annotation):
        if isinstance(each, type) and issubclass(each, Section):
            if part in each.model_fields:
                return each.model_fields[part].annotation, False
            kind = each.model_fields.get("source")
            if kind and get_args(kind.annotation) == (part,):
                return each, True
        elif get_origin(each) is dict:
            return get_args(each)[1], False
        elif get_origin(each) is list:
            return get_args(each)[0], False
    return None, False


def alternatives(annotation: Any) -> list[Any]:
    """Return the types that an annotation allows, without null."""
    if get_origin(annotation) is Annotated:
        return alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [each for option in get_args(annotation) for each in alternatives(option)]
    return [] if annotation is type(None) else [annotation]


def _lines(root: type[Section], error: ErrorDetails) -> Iterator[str]:
    kind, context, value = error["type"], error.get("ctx", {}), error["input"]
    if kind == "problems":
        yield from (f"{key or 'config'}: {words}" for key, words in context["problems"])
        return
    place, holder = _place(root, error["loc"])
    if kind == "missing":
        yield f"{place}: missing. {_description(holder, error['loc'][-1])}".rstrip()
    elif kind == "extra_forbidden":
        yield f"{place}: unknown key. {_nearest(str(error['loc'][-1]), holder)}"
    elif kind in ("union_tag_invalid", "union_tag_not_found"):
        tags = context.get("expected_tags") or ", ".join(_tags(holder, error["loc"][-1]))
        found = f", found {_found(context['tag'])}" if "tag" in context else ", found none"
        yield f"{place}.source: must be one of {tags.replace(chr(39), '')}{found}"
    elif kind == "string_pattern_mismatch" and error["loc"][-1] == "[key]":
        yield f"{place}: the name {_PATTERNS[context['pattern']]}"
    else:
        yield f"{place}: {_words(kind, context, value, error['msg'])}"


def _words(kind: str, context: Mapping[str, Any], value: Any, message: str) -> str:
    """Return what a value must be and what was found."""
    if kind == "words":
        return str(context["words"])
    if kind in _KINDS:
        return f"must be {_KINDS[kind]}, found {_found(value)}{_hint(kind, value)}"
    if kind in _LIMITS:
        words, name = _LIMITS[kind]
        return f"must be {words} {context[name]:g}, found {_found(value)}"
    if kind == "literal_error":
        expected = context["expected"].replace("True", "true").replace("False", "false")
        return f"must be {expected.replace(chr(39), '')}, found {_found(value)}"
    if kind in ("too_short", "too_long"):
        words, name = {
            "too_short": ("at least", "min_length"),
            "too_long": ("at most", "max_length"),
        }[kind]
        count = context[name]
        return (
            f"must have {words} {count} {'entry' if count == 1 else 'entries'}, "
            f"found {context['actual_length']}"
        )
    if kind == "string_pattern_mismatch":
        return f"{_PATTERNS[context['pattern']]}, found {_found(value)}"
    return f"{message}, found {_found(value)}"


def _found(value: Any) -> str:
    """Return a value as it is written in the file, shortened."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return _SHORT.repr(value)


def _hint(kind: str, value: Any) -> str:
    """Return advice for a number that YAML takes for text, or the other way round."""
    if kind == "string_type" and isinstance(value, bool | int | float | date):
        return " (YAML reads no, yes, on, off, numbers and dates as other types: put it in quotes)"
    if not (isinstance(value, str) and kind in ("int_type", "float_type")):
        return ""
    try:
        float(value)
    except ValueError:
        return ""
    return " as text (YAML reads 1e9 as text: write 1_000_000_000, or 1.0e+9)"


def _place(root: type[Section], loc: Sequence[int | str]) -> tuple[str, Any]:
    """Return the key as it is written in the file, and the annotation of its section."""
    here: Any = root
    holder: Any = root
    names = []
    for part in loc:
        if part == "[key]":
            break
        below, is_kind = child_of(here, part)
        if is_kind:
            here = holder = below
            continue
        names.append(str(part))
        holder, here = here, below
    return ".".join(names) or "config", holder


def _sections(annotation: Any) -> list[type[Section]]:
    return [
        each
        for each in alternatives(annotation)
        if isinstance(each, type) and issubclass(each, Section)
    ]


def _tags(holder: Any, part: Any) -> Iterator[str]:
    """Yield the kinds of source that are allowed below a key."""
    for section in _sections(child_of(holder, part)[0]):
        yield from get_args(section.model_fields["source"].annotation)


def _description(holder: Any, name: Any) -> str:
    for section in _sections(holder):
        if name in section.model_fields:
            return section.model_fields[name].description or ""
    return ""


def _nearest(name: str, holder: Any) -> str:
    """Return the keys with similar names, or all known keys if there are none."""
    known = sorted({key for section in _sections(holder) for key in section.model_fields})
    if near := difflib.get_close_matches(name, known):
        return f"Did you mean {' or '.join(near)}?"
    return f"Known here: {', '.join(known)}"
