"""The status of a sweep: runs done, running and waiting, hours spent and left."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from mixlaws.files import read_json
from mixlaws.presentation import format_duration
from mixlaws.runs.cost import vocabulary_size
from mixlaws.runs.devices import PEAK_FLOPS, assumed_mfu
from mixlaws.runs.lock import Owner, is_locked, read_owner
from mixlaws.runs.progress import PROGRESS_NAME, device_seconds, read_progress
from mixlaws.runs.shapes import Shape
from mixlaws.runs.sweep import PlannedRun, list_runs

UUID_SHOWN = len("GPU-12345678")


@dataclass(frozen=True)
class RunStatus:
    """One run of the sweep."""

    size: str
    mixture: str
    seed: int
    state: str
    """done, running, stopped (it began and has not ended) or waiting."""
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


def find_runs(config: Mapping[str, Any], root: Path) -> list[RunStatus]:
    """Return every proxy and confirmation run of a complete config, under the results' root."""
    return [_look(root / config["experiment"], run) for run in list_runs(config).runs]


def _look(results: Path, run: PlannedRun) -> RunStatus:
    checkpoints = results / run.checkpoints
    rows = read_progress(checkpoints / PROGRESS_NAME)
    rates = [row["tokens_per_second"] for row in rows if row.get("tokens_per_second")]
    timing = results / run.folder / "timing.json"
    if timing.exists():
        record = read_json(timing)
        state, step, rates = "done", run.num_steps, [record["tokens_per_second_training"]]
        spent = record["device_seconds_of_all_attempts"]
    else:
        state = "running" if is_locked(checkpoints) else "stopped" if rows else "waiting"
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
        place=_place(read_owner(checkpoints)) if state == "running" else "",
    )


def _place(owner: Owner) -> str:
    """Return where a run trains; of a device's UUID only the beginning."""
    devices = [name[:UUID_SHOWN] for name in str(owner.get("devices", "")).split(",") if name]
    host = str(owner.get("host", "an unknown machine"))
    return f"{host} ({', '.join(devices)})" if devices else host


def describe(config: Mapping[str, Any], root: Path) -> str:
    """Return the sweep as text: a line per size and per running run, hours spent and left."""
    runs = find_runs(config, root)
    states = ("done", "running", "stopped", "waiting")
    lines = [f"{config['experiment']}: {len(runs)} runs", ""]
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


def _hours(runs: list[RunStatus], config: Mapping[str, Any]) -> tuple[float, float]:
    """Return device-hours spent and left; a size without a measured rate takes the planned one."""
    left = 0.0
    for size in {run.size for run in runs}:
        part = [run for run in runs if run.size == size]
        rates = [r.tokens_per_second / r.num_devices for r in part if r.tokens_per_second]
        rate = median(rates) if rates else _planned_rate(size, config)
        left += sum(run.tokens_left for run in part) / rate / 3600
    return sum(run.spent for run in runs) / 3600, left


def _planned_rate(size: str, config: Mapping[str, Any]) -> float:
    """Return the tokens per second that the plan assumes."""
    device = config["plan"]["device"]
    shape = Shape(**config["sizes"][size], layout=config["training"]["layout"])
    flops = shape.flops_per_token(
        vocabulary_size=vocabulary_size(config),
        sequence_length=config["training"]["sequence_length"],
    )
    share = config["plan"]["utilisation"] or assumed_mfu(device, shape.num_params)
    return share * PEAK_FLOPS[device] / flops


def _eta(running: list[RunStatus], hours_left: float) -> str:
    """Return the time left if as many devices keep working."""
    devices = sum(run.num_devices for run in running)
    if devices == 0:
        return ""
    return f"; {format_duration(hours_left / devices * 3600)} at {devices} at a time"
