"""The state of a sweep: its runs by state, device-hours spent and left, the expected end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from mixlaws.files import read_json
from mixlaws.presentation import format_duration
from mixlaws.results import Results, RunFiles
from mixlaws.runs.cost import planned_rate
from mixlaws.runs.lock import Owner, is_locked, read_owner
from mixlaws.runs.progress import device_seconds, read_progress
from mixlaws.runs.sections import Experiment
from mixlaws.runs.sweep import PlannedRun, list_runs

UUID_SHOWN = len("GPU-12345678")


@dataclass(frozen=True)
class RunStatus:
    """One run of the sweep."""

    size: str
    mixture: str
    seed: int
    state: str
    """done, running, stopped (it began and nothing runs it) or waiting."""
    step: int
    num_steps: int
    tokens: int
    """Tokens of the whole run."""
    spent: float
    """Device-seconds of all attempts."""
    tokens_per_second: float | None
    """Rate of all its devices, as last measured; None before the first evaluation."""
    num_devices: int
    place: str
    """Host and devices; empty if it is not running."""

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
    if files.timing.exists():
        record = read_json(files.timing)
        state, step, rates = "done", run.num_steps, [record["tokens_per_second_training"]]
        spent = record["device_seconds_of_all_attempts"]
    else:
        state = "running" if is_locked(files.checkpoints) else "stopped" if rows else "waiting"
        step, spent = (rows[-1]["step"] if rows else 0), device_seconds(rows)
        if state == "running":
            spent += max(0.0, time.time() - rows[-1]["time"]) if rows else 0.0
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
        num_devices=rows[-1]["num_devices"] if rows else 1,
        place=_place(read_owner(files.checkpoints)) if state == "running" else "",
    )


def _place(owner: Owner) -> str:
    """Return where a run trains; of a device's UUID only the beginning."""
    devices = [name[:UUID_SHOWN] for name in str(owner.get("devices", "")).split(",") if name]
    host = str(owner.get("host", "an unknown machine"))
    return f"{host} ({', '.join(devices)})" if devices else host


def describe(config: Experiment, root: Path) -> str:
    """Return the sweep as text: a line per size, the running runs, hours spent and left."""
    runs = find_runs(config, root)
    states = ("done", "running", "stopped", "waiting")
    lines = [f"{config.experiment}: {len(runs)} runs", ""]
    lines.append(
        "size       " + "".join(f"{state:>9}" for state in states) + "  hours spent   left"
    )
    for size in dict.fromkeys(run.size for run in runs):
        part = [run for run in runs if run.size == size]
        counts = "".join(f"{sum(r.state == state for r in part):>9}" for state in states)
        spent, left = _hours(part, config)
        lines.append(f"{size:<11}{counts}{spent:>13.2f}{left:>7.2f}")
    running = [run for run in runs if run.state == "running"]
    if running:
        lines += ["", *(_line(run) for run in running)]
    spent, left = _hours(runs, config)
    lines += ["", f"device-hours: {spent:.2f} spent, {left:.2f} left{_eta(running, left)}"]
    return "\n".join(lines)


def _line(run: RunStatus) -> str:
    rate = run.tokens_per_second
    left = format_duration(run.tokens_left / rate) if rate else "unknown"
    return (
        f"running: {run.size} {run.mixture} seed {run.seed} on {run.place}, step {run.step:,} of "
        f"{run.num_steps:,}, {left} left" + (f", {rate:,.0f} tokens/s" if rate else "")
    )


def _hours(runs: list[RunStatus], config: Experiment) -> tuple[float, float]:
    """Return device-hours spent and left; sizes without a measured rate count as planned."""
    left = 0.0
    for size in {run.size for run in runs}:
        part = [run for run in runs if run.size == size]
        rates = [r.tokens_per_second / r.num_devices for r in part if r.tokens_per_second]
        rate = median(rates) if rates else planned_rate(config, size)
        left += sum(run.tokens_left for run in part) / rate / 3600
    return sum(run.spent for run in runs) / 3600, left


def _eta(running: list[RunStatus], hours_left: float) -> str:
    """Return when the sweep ends if the number of devices stays the same."""
    devices = sum(run.num_devices for run in running)
    if devices == 0:
        return ""
    return f"; {format_duration(hours_left / devices * 3600)} at {devices} at a time"
