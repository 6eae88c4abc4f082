"""Record the faults that tests injected and their outcomes, for the table of docs/reliability.md.

    python tests/faults/recording.py RECORDS.jsonl   rewrite the table in docs/reliability.md

Tests append one line per try to the file that MIXLAWS_FAULT_RECORDS names, if it is set.
"""

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
START, END = "<!-- fault table: written by `make fault-table` -->", "<!-- end of fault table -->"


@contextmanager
def trying(fault, how):
    """Record one injected fault and, if the block succeeds, how the workflow survived it.

    Yields the record: a block that strikes at random says in `fault` what it hit.
    """
    record = {"fault": fault, "how": how, "survived": 0}
    try:
        yield record
        record["survived"] = 1
    finally:
        path = os.environ.get("MIXLAWS_FAULT_RECORDS")
        if path:
            with open(path, "a") as file:
                file.write(json.dumps(record) + "\n")


def table(records):
    """Return the records as rows of (fault, tried, survived, how), in order of appearance."""
    rows = {}
    for record in records:
        row = rows.setdefault((record["fault"], record["how"]), [0, 0])
        row[0] += 1
        row[1] += record["survived"]
    lines = ["| fault | tried | survived | how |", "|---|---|---|---|"]
    lines += [f"| {fault} | {n} | {ok} | {how} |" for (fault, how), (n, ok) in rows.items()]
    return "\n".join(lines)


def main(path):
    """Rewrite the page's table."""
    records = [json.loads(line) for line in Path(path).read_text().splitlines()]
    text = PAGE.read_text()
    before, rest = text.split(START)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{START}\n{table(records)}\n{END}{after}")


if __name__ == "__main__":
    main(sys.argv[1])
