"""The files of imported runs: one table, a glob, or a path that names each run.

Imported when the Snakefile is parsed, so without pandas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from mixlaws.errors import DataError

FIELDS = ("run", "mixture", "size", "seed")
"""What a path may say of its run."""


def source_files(files: Mapping[str, str]) -> list[str]:
    """Return every file or folder that an import reads, the mixtures last."""
    losses = files["losses"]
    if "{" in losses:
        found = [str(path) for path, _ in find_runs(losses)]
    elif "*" in losses:
        found = sorted(map(str, Path(losses).parent.glob(Path(losses).name)))
    else:
        found = [losses]
    return [*found, files["mixtures"]]


def find_runs(template: str) -> list[tuple[Path, dict[str, str]]]:
    """Return every path that a template names, with what it says of the run.

    Raises DataError if the template names no run or two runs alike, or if nothing matches.
    """
    fields = re.findall(r"\{(\w+)\}", template)
    if set(fields) - set(FIELDS) or not {"run", "mixture"} & set(fields):
        raise DataError(
            f"the path {template} must name each run by {{mixture}} or {{run}}, and may have "
            f"{{size}} and {{seed}}; found {', '.join(fields) or 'none of them'}. Write it as "
            "logs/{mixture}/metrics.csv"
        )
    pattern = re.compile(_expression(template))
    base = Path(template[: template.index("{")].split("*")[0] + "x").parent
    parts = Path(template).relative_to(base).parts
    glob = "/".join(re.sub(r"\{\w+\}", "*", part) for part in parts)
    found = [
        (path, match.groupdict())
        for path in sorted(base.glob(glob))
        if (match := pattern.fullmatch(path.as_posix()))
    ]
    if not found:
        raise DataError(f"no file or folder matches {template}. Correct the path")
    keys = [tuple(sorted(each.items())) for _, each in found]
    twice = [str(path) for (path, _), key in zip(found, keys, strict=True) if keys.count(key) > 1]
    if twice:
        raise DataError(
            f"{', '.join(twice[:4])} are one run for the path {template}. Name the seed or the "
            "attempt in the path"
        )
    return found


def _expression(template: str) -> str:
    """Return the regular expression of a template; a field that occurs again must be the same."""
    expression, seen = "", set()
    for part in re.split(r"(\{\w+\}|\*)", template):
        name = part[1:-1]
        if part == "*":
            expression += "[^/]*"
        elif not part.startswith("{"):
            expression += re.escape(part)
        elif name in seen:
            expression += f"(?P={name})"
        else:
            seen.add(name)
            expression += r"(?P<seed>\d+)" if name == "seed" else f"(?P<{name}>[^/]+)"
    return expression
