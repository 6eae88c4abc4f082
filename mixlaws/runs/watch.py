"""Show the state of a sweep again and again until all its runs are done."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import TextIO

from mixlaws.runs.sections import Experiment
from mixlaws.runs.status import describe, find_runs

EVERY_SECONDS = 5.0
# Lines of the text that do not belong to running or failed runs, beside one per size.
_FIXED_LINES = 10
_TO_TOP_LEFT, _CLEAR_BELOW, _CLEAR_LINE = "\x1b[H", "\x1b[J", "\x1b[K"


def watch(
    config: Experiment,
    root: Path,
    *,
    every_seconds: float = EVERY_SECONDS,
    output: TextIO | None = None,
) -> None:
    """Print the state of a sweep every so many seconds until all runs are done.

    A terminal is redrawn in place. Anything else gets the text again whenever a run changes state.
    Ctrl-C ends it.
    """
    output = output or sys.stdout
    on_terminal, shown = output.isatty(), None
    try:
        while True:
            runs = find_runs(config, root)
            states = [run.state for run in runs]
            if on_terminal:
                _redraw(output, describe(config, runs, num_lines=_room(config)))
            elif states != shown:
                print(describe(config, runs), file=output, flush=True)
            shown = states
            if all(state == "done" for state in states):
                return
            time.sleep(every_seconds)
    except KeyboardInterrupt:
        print(file=output)


def _redraw(output: TextIO, text: str) -> None:
    """Write over what the terminal shows, line by line, so that it does not flicker."""
    width = shutil.get_terminal_size().columns
    lines = "".join(f"{line[:width]}{_CLEAR_LINE}\n" for line in text.splitlines())
    output.write(f"{_TO_TOP_LEFT}{lines}{_CLEAR_BELOW}")
    output.flush()


def _room(config: Experiment) -> int:
    """Return how many running and how many failed runs the terminal has room for."""
    sizes = len({*config.training.sizes, config.target.size})
    return max(1, (shutil.get_terminal_size().lines - sizes - _FIXED_LINES) // 2)
