"""How a run is executed: settings that change how fast it ends, not what it measures.

Neither torch nor Lightning is imported here: a job that waits for a device, or is replaced by the
processes of its run, has no need of them.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from mixlaws.errors import ConfigError
from mixlaws.runs.job import job_name


@dataclass(frozen=True)
class Execution:
    """Settings of the machine, not of the run: a resumed run may have others."""

    every_seconds: float = 120
    """Time between two saved states."""
    num_threads: int = 1
    keep_weights: bool = False
    """Keep the weights of the end, on which the last losses are measured."""
    accelerator: str = "auto"
    """auto: a GPU where there is one; cpu: never one; gpu: an error where there is none."""
    compile: bool | str = "auto"
    micro_batch_size: int | None = None
    devices: int = 1
    """Devices on each node."""
    runs_per_device: int = 1
    """Runs that share a device of a machine without a scheduler."""
    num_nodes: int = 1
    strategy: str = "auto"
    launcher: str = "local"
    divergence_margin: float | None = 2.0
    logger: str = "none"
    """none, csv, tensorboard or wandb."""

    @property
    def num_processes(self) -> int:
        """Return how many processes train the run together."""
        return self.devices * self.num_nodes

    def share_of(self, batch_size: int) -> int:
        """Return the sequences of a step that each process trains on.

        Raises ConfigError where the batch cannot be divided evenly.
        """
        multiple = self.num_processes * (self.micro_batch_size or 1)
        if batch_size % multiple:
            raise ConfigError(
                f"training.batch_size ({batch_size}) is not a multiple of micro_batch_size * "
                f"devices * num_nodes ({multiple}). Change one of them"
            )
        return batch_size // self.num_processes


# Where each launcher writes a process's place among the others.
_RANKS = {
    "local": ("NODE_RANK", "LOCAL_RANK"),
    "srun": ("SLURM_PROCID",),
    "torchrun": ("RANK",),
}
_STARTED = "MIXLAWS_STARTED_BY_SRUN"


def start_processes(execution: Execution) -> None:
    """Replace this process by all processes of the run, where srun starts them.

    Each of them executes the same script, comes here again and goes on. Raises ConfigError outside
    a SLURM job.
    """
    if execution.launcher != "srun" or execution.num_processes == 1 or _STARTED in os.environ:
        return
    if not job_name():
        raise ConfigError(
            "training.launcher is srun, but this process is not in a SLURM job. Use `snakemake "
            "--profile slurm`, or set the launcher to local"
        )
    os.environ[_STARTED] = "1"
    if execution.num_nodes == 1:  # its name need not resolve, not even on the node itself
        os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    command = ["srun", f"--nodes={execution.num_nodes}", f"--ntasks={execution.num_processes}"]
    command += [f"--ntasks-per-node={execution.devices}", "--kill-on-bad-exit=1"]
    command += [f"--cpus-per-task={execution.num_threads}"]
    os.execvp("srun", [*command, sys.executable, *sys.argv])


def claims_devices(execution: Execution) -> bool:
    """Return whether this process has to claim the devices of its node.

    Not on the CPU; not on a cluster or under torchrun, whose devices are taken as they are; and not
    where another process of the run has claimed them already.
    """
    if execution.accelerator == "cpu" or execution.launcher == "torchrun" or job_name():
        return False
    return os.environ.get("LOCAL_RANK", "0") == "0"


def is_main_process(execution: Execution) -> bool:
    """Return whether this process writes the results; the only one always does."""
    if execution.num_processes == 1:
        return True
    return all(os.environ.get(name, "0") == "0" for name in _RANKS[execution.launcher])
