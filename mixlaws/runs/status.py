"""The state of a sweep: its runs by state, their losses, device-hours spent and left, the end."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from mixlaws.files import read_json
from mixlaws.presentation import format_duration, format_loss
from mixlaws.results import Results
from mixlaws.run_files import RunFiles
from mixlaws.runs.cost import planned_rate
from mixlaws.runs.lock import Owner, is_locked, read_owner
from mixlaws.runs.progress import device_seconds, read_progress
from mixlaws.runs.sections import Experiment
from mixlaws.runs.sweep import PlannedRun, list_runs

UUID_SHOWN = len("GPU-12345678")
STATES = ("done", "running", "failed", "stopped", "waiting")
"""failed: the last attempt ended with an error; stopped: it began, and nothing trains it now."""
_ERROR = re.compile(r"^[\w.]+(?:Error|Exception)\b")
# An error's message may have several lines.
_TAIL_BYTES, _TAIL_LINES = 8192, 8


@dataclass(frozen=True)
class RunStatus:
    """One run of the sweep."""

    size: str
    mixture: str
    seed: int
    state: str
    """One of STATES."""
    step: int
    num_steps: int
    tokens: int
    """Tokens of the whole run."""
    spent: float
    """Device-seconds of all attempts."""
    tokens_per_second: float | None
    """Rate of all its devices, as last measured; None before the first evaluation."""
    loss: float | None
    """Mean over the validation domains at the last evaluation, in nats; None before the first."""
    num_devices: int
    note: str
    """Host and devices of a run that is running; the error of a run that failed."""

    @property
    def name(self) -> str:
        """Return size, mixture and seed."""
        return f"{self.size} {self.mixture} seed {self.seed}"

    @property
    def tokens_left(self) -> float:
        """Return the tokens still to be trained on."""
        return 0.0 if self.state == "done" else self.tokens * (1 - self.step / self.num_steps)


def find_runs(config: Experiment, root: Path) -> list[RunStatus]:
    """Return every proxy and confirmation run of an experiment, under the results' root."""
    results = Results(root / config.experiment)
    return [_look(run, run.files(results)) for run in list_runs(config).runs]


def _look(run: PlannedRun, files: RunFiles) -> RunStatus:
    rows = read_progress(files.progress)
    rates = [row["tokens_per_second"] for row in rows if row.get("tokens_per_second")]
    losses = [row["loss"] for row in rows if "loss" in row]
    step, spent, note = (rows[-1]["step"] if rows else 0), device_seconds(rows), ""
    if files.timing.exists():
        record = read_json(files.timing)
        state, step, rates = "done", run.num_steps, [record["tokens_per_second_training"]]
        spent = record["device_seconds_of_all_attempts"]
    elif is_locked(files.checkpoints):
        state, note = "running", _place(read_owner(files.checkpoints))
        spent += max(0.0, time.time() - rows[-1]["time"]) if rows else 0.0
    elif note := _last_error(files.log):
        state = "failed"
    else:
        state = "stopped" if rows else "waiting"
    return RunStatus(
        size=run.size,
        mixture=run.mixture,
        seed=run.seed,
        state=state,
        step=step,
        num_steps=run.num_steps,
        tokens=run.tokens,
        spent=spent,
        tokens_per_second=rates[-1] if rates else None,
        loss=losses[-1] if losses else None,
        num_devices=rows[-1]["num_devices"] if rows else 1,
        note=note,
    )


def _place(owner: Owner) -> str:
    """Return where a run trains; of a device's UUID only the beginning."""
    devices = [name[:UUID_SHOWN] for name in str(owner.get("devices", "")).split(",") if name]
    host = str(owner.get("host", "an unknown machine"))
    return f"{host} ({', '.join(devices)})" if devices else host


def _last_error(log: Path) -> str:
    """Return the error at the end of a log, or nothing if it does not end with one."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    tail = [line for line in lines if line.strip()][-_TAIL_LINES:]
    return next((line for line in reversed(tail) if _ERROR.match(line)), "")


def describe(config: Experiment, runs: list[RunStatus], *, num_lines: int = 40) -> str:
    """Return the sweep as text: a line per size, the running and failed runs, hours, the end.

    Of the running and of the failed runs it shows at most `num_lines` each.
    """
    total = _counts(runs, lambda count, state: f"{count} {state}")
    lines = [f"{config.experiment}: {len(runs)} runs: {', '.join(total)}", ""]
    lines.append(
        "size       "
        + "".join(f"{state:>9}" for state in STATES)
        + "  hours spent   left  loss of done runs"
    )
    for size in dict.fromkeys(run.size for run in runs):
        part = [run for run in runs if run.size == size]
        counts = "".join(_counts(part, lambda count, _: f"{count:>9}"))
        spent, left = _hours(part, config)
        losses = sorted(run.loss for run in part if run.state == "done" and run.loss is not None)
        span = f"{format_loss(losses[0])} to {format_loss(losses[-1])}" if losses else "-"
        lines.append(f"{size:<11}{counts}{spent:>13.2f}{left:>7.2f}  {span}")
    running = [run for run in runs if run.state == "running"]
    failed = [run for run in runs if run.state == "failed"]
    for words in ([_running(run) for run in running], [_failed(run) for run in failed]):
        more = len(words) - num_lines
        lines += ["", *words[:num_lines]] if words else []
        lines += [f"and {more} more"] if more > 0 else []
    spent, left = _hours(runs, config)
    lines += ["", f"device-hours: {spent:.2f} spent, {left:.2f} left{_end(running, left)}"]
    return "\n".join(lines)


def _counts(runs: list[RunStatus], words: Callable[[int, str], str]) -> list[str]:
    return [words(sum(run.state == state for run in runs), state) for state in STATES]


def _running(run: RunStatus) -> str:
    rate = run.tokens_per_second
    left = format_duration(run.tokens_left / rate) if rate else "unknown"
    words = f"running: {run.name} on {run.note}, step {run.step:,} of {run.num_steps:,}"
    words += f", {left} left"
    words += f", {rate:,.0f} tokens/s" if rate else ""
    return words + (f", loss {format_loss(run.loss)}" if run.loss is not None else "")


def _failed(run: RunStatus) -> str:
    return f"failed: {run.name}: {run.note}"


def _hours(runs: list[RunStatus], config: Experiment) -> tuple[float, float]:
    """Return device-hours spent and left; sizes without a measured rate count as planned."""
    left = 0.0
    for size in {run.size for run in runs}:
        part = [run for run in runs if run.size == size]
        rates = [r.tokens_per_second / r.num_devices for r in part if r.tokens_per_second]
        rate = median(rates) if rates else planned_rate(config, size)
        left += sum(run.tokens_left for run in part) / rate / 3600
    return sum(run.spent for run in runs) / 3600, left


def _end(running: list[RunStatus], hours_left: float) -> str:
    """Return the rate of all running runs, and when the sweep ends if as many go on."""
    devices = sum(run.num_devices for run in running)
    if devices == 0:
        return ""
    rate = sum(run.tokens_per_second or 0.0 for run in running)
    words = f"; {format_duration(hours_left / devices * 3600)} at {devices} at a time"
    return words + (f"; {rate:,.0f} tokens/s now" if rate else "")
