"""Single wrong or extreme values for every place of a config, made from the models' JSON schema.

`probes` walks a schema: each key, each branch of a key, each limit and one step beyond it, values
of other kinds, an unknown key and a missing one. `place` puts a probe into a config. A name of the
user's choice is "*" in a path, a place in a list is 0.
"""

import copy
from dataclasses import dataclass, replace
from typing import Any

WRONG = (
    None,
    True,
    -1,
    10**30,
    1.5,
    float("nan"),
    float("-inf"),
    "",
    "\x00",
    "a/../b",
    [],
    {},
    [[]],
)
NAMES = ("", "..", "<b>", "a b", "\n", "x" * 300)
MISSING = object()
LIMITS = (
    ("minimum", -1, False),
    ("maximum", 1, False),
    ("exclusiveMinimum", -1, True),
    ("exclusiveMaximum", 1, True),
)
"""Name of a limit, the sign of a step beyond it, and whether the limit itself is refused."""


@dataclass(frozen=True)
class Probe:
    """A value at a path."""

    path: tuple[str | int, ...]
    value: Any
    is_wrong: bool | None = None
    """Whether the schema refuses it; None where it does not say."""


def probes(schema):
    """Yield the probes of the schema of a whole config."""
    yield from _probes(schema, schema.get("$defs", {}), ())


def _probes(schema, definitions, path):
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[1]]
    for branch in ("anyOf", "oneOf"):
        options = [each for each in schema.get(branch, ()) if each.get("type") != "null"]
        for each in options:
            for probe in _probes(each, definitions, path):
                # What one branch refuses another may take.
                yield probe if len(options) == 1 else replace(probe, is_wrong=None)
    if path:
        yield from (Probe(path, value) for value in WRONG)
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        yield from (Probe(path, value, False) for value in values)
        yield Probe(path, "none of these")
    yield from _limits(schema, path)
    kind = schema.get("type")
    if kind == "object":
        yield from _of_object(schema, definitions, path)
    elif kind == "array" and "items" in schema:
        yield from _probes(schema["items"], definitions, (*path, 0))


def _limits(schema, path):
    """Yield a value at each limit and one a step beyond it."""
    step = 1 if schema.get("type") == "integer" else 1e-9
    for name, sign, at in LIMITS:
        if name in schema:
            limit = schema[name]
            yield Probe(path, limit, at)
            inside = limit - sign * step
            yield Probe(path, inside if at else limit + sign * step, not at)
    for name, sign in (("minItems", -1), ("maxItems", 1)):
        if schema.get(name):
            yield Probe(path, [0.5] * schema[name])
            yield Probe(path, [0.5] * (schema[name] + sign), True)


def _of_object(schema, definitions, path):
    for name, below in schema.get("properties", {}).items():
        yield from _probes(below, definitions, (*path, name))
        yield Probe((*path, name), MISSING, True if name in schema.get("required", ()) else None)
    below = schema.get("patternProperties") or schema.get("additionalProperties")
    if isinstance(below, dict) and below:
        named = schema.get("patternProperties")
        below = next(iter(named.values())) if named else below
        yield from _probes(below, definitions, (*path, "*"))
        yield from (Probe((*path, name), {}, True if named else None) for name in NAMES)
    elif "properties" in schema:
        yield Probe((*path, "no such key"), 1, True)


def place(config, probe):
    """Return a copy of a config with a probe in it, or None if the config has no place for it."""
    found = copy.deepcopy(config)
    here = found
    for part in probe.path[:-1]:
        here = _step(here, part)
        if here is None:
            return None
    last = probe.path[-1]
    if last == "*" and isinstance(here, dict) and here:
        last = next(iter(here))
    if isinstance(here, list) and last == 0 and here and probe.value is not MISSING:
        here[0] = probe.value
    elif isinstance(here, dict) and isinstance(last, str):
        if probe.value is MISSING:
            here.pop(last, None)
        else:
            here[last] = probe.value
    else:
        return None
    return found


def _step(here, part):
    """Return what is one step down, an empty section if nothing is there yet."""
    if isinstance(here, dict):
        if part == "*":
            part = next(iter(here), "a")
        if not isinstance(here.get(part), dict | list):
            here[part] = {}
        return here[part]
    if isinstance(here, list) and part == 0 and here:
        return here[0]
    return None
