"""The progress of a run: a printed line per evaluation, and the same as JSON lines in a file.

The file keeps the lines of all attempts, so that the hours of interrupted ones count.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mixlaws.presentation import format_duration

PROGRESS_NAME = "progress.jsonl"


@dataclass
class Progress:
    """The progress of one attempt."""

    path: Path
    num_steps: int
    batch_tokens: int
    num_devices: int
    device: str
    first_step: int = 0
    started: float = field(default_factory=time.time)
    _clock: float = field(default_factory=time.monotonic)

    def start(self, step: int) -> None:
        """Note the step that the attempt starts from, and start its clock."""
        self.first_step, self._clock = step, time.monotonic()
        self._write("start", step, 0.0, {})

    def report(self, step: int, loss: float) -> float:
        """Print and write one evaluation; return the attempt's tokens per second."""
        seconds = time.monotonic() - self._clock
        rate = (step - self.first_step) * self.batch_tokens / max(seconds, 1e-9)
        left = (self.num_steps - step) * self.batch_tokens / rate if rate > 0 else None
        self._write(
            "evaluation", step, seconds, {"loss": loss, "tokens_per_second": rate, "left": left}
        )
        words = "" if left is None else f", {rate:,.0f} tokens/s, {format_duration(left)} left"
        print(
            f"step {step:,} of {self.num_steps:,}: mean validation loss {loss:.4f}{words}",
            flush=True,
        )
        return rate

    def note(self, event: str, step: int) -> None:
        """Record that a state was saved or that the attempt ended."""
        self._write(event, step, time.monotonic() - self._clock, {})

    def _write(self, event: str, step: int, seconds: float, more: dict[str, Any]) -> None:
        row = {
            "time": time.time(),
            "attempt": self.started,
            "event": event,
            "step": step,
            "num_steps": self.num_steps,
            "tokens": step * self.batch_tokens,
            "seconds": seconds,
            "num_devices": self.num_devices,
            "device": self.device,
        }
        try:
            with self.path.open("a") as file:
                file.write(json.dumps(row | more) + "\n")
        except OSError as error:  # a full disk costs this line, not the run
            print(f"cannot write {self.path}: {error}", flush=True)


def read_progress(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's progress, without one that a kill cut short."""
    rows = []
    for line in path.read_text().splitlines() if path.exists() else []:
        with suppress(json.JSONDecodeError):
            rows.append(json.loads(line))
    return rows


def device_seconds(rows: list[dict[str, Any]]) -> float:
    """Return the seconds of all attempts, times the devices of each."""
    last = {row["attempt"]: row for row in rows}
    return sum(row["seconds"] * row["num_devices"] for row in last.values())
