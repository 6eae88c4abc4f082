"""Hostile input: one table, kind x stage. Each cell has a case or the reason why it has none.

    PYTHONPATH=tests:tests/losses python tests/hostile/hostile_table.py [KIND...]

This runs them, and rewrites outcomes and table.

A case prepares its input and returns the call that a script or a command would make. What comes of
it is the exit status and the message, or the words of a case that is accepted.
"""

import hashlib
import json
import sys
import tempfile
from pathlib import Path

from hostile_cases import CASES, KINDS, REASONS, STAGES

from mixlaws.errors import ending_with_one_message

OUTCOMES = Path(__file__).with_name("outcomes.json")
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
START = "<!-- hostile table: written by tests/hostile/hostile_table.py -->"
END = "<!-- end of hostile table -->"
EARLIER = "a result of an earlier run\n"


class Place:
    """A folder with results of an earlier run."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def output(self, name):
        """Return the path of an output, which an earlier run has written."""
        path = self.folder / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(EARLIER)
        return path

    def outputs(self, **names):
        return {key: str(self.output(name)) for key, name in names.items()}

    def write(self, name, text):
        """Write an input, text or bytes; return its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path


def contents(folder):
    """Return the digest of every file in a folder, and None for folders."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else None
        for path in folder.rglob("*")
    }


def outcome(kind, stage, folder):
    """Run a case; return its exit status and message. A refusal has changed no file."""
    act = CASES[kind, stage](Place(folder))
    before = contents(folder)
    try:
        with ending_with_one_message():
            return {"status": 0, "message": f"accepted: {act()}"}
    except SystemExit as end:
        assert contents(folder) == before, "something was written"
        # The interpreter prints a text to stderr and ends with status 1.
        status = 1 if isinstance(end.code, str) else end.code
        return {"status": status, "message": str(end.code).replace(str(folder), "FOLDER")}


def table(outcomes):
    """Return the lines of the table in docs/reliability.md."""
    lines = ["| kind | stage | status | outcome, or why there is no case |", "|---|---|---|---|"]
    for kind, words in KINDS.items():
        for stage in STAGES:
            found = outcomes.get(f"{kind} {stage}")
            told = found["message"] if found else REASONS.get((kind, stage), "")
            shown = " ".join(told.split()).replace("|", "\\|").replace("<", "&lt;")
            lines.append(f"| {words} | {stage} | {found['status'] if found else ''} | {shown} |")
    return lines


def main():
    """Run all cases, or those of the kinds that are named; write the outcomes and the table."""
    outcomes = json.loads(OUTCOMES.read_text()) if OUTCOMES.exists() else {}
    outcomes = {name: found for name, found in outcomes.items() if tuple(name.split()) in CASES}
    for kind, stage in CASES:
        if not sys.argv[1:] or kind in sys.argv[1:] or f"{kind}-{stage}" in sys.argv[1:]:
            with tempfile.TemporaryDirectory() as folder:
                outcomes[f"{kind} {stage}"] = outcome(kind, stage, Path(folder))
                print(kind, stage, outcomes[f"{kind} {stage}"], flush=True)
    OUTCOMES.write_text(json.dumps(dict(sorted(outcomes.items())), indent=1) + "\n")
    page = PAGE.read_text()
    before, after = page.split(START)[0], page.split(END)[1]
    PAGE.write_text("\n".join([before + START, *table(outcomes), END + after]))


if __name__ == "__main__":
    main()
