"""How a run is executed: settings that change how fast it ends and not where."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy

from mixlaws.errors import ConfigError


@dataclass(frozen=True)
class Execution:
    """Settings of the machine, not of the run: a resumed run may have others."""

    every_seconds: float = 120
    """Time between two saved states."""
    num_threads: int = 1
    keep: bool = False
    """Keep the last states after success."""
    accelerator: str = "auto"
    """auto: a GPU where there is one; cpu: never one; gpu: an error where there is none."""
    compile: bool | str = "auto"
    micro_batch_size: int | None = None
    devices: int = 1
    num_nodes: int = 1
    strategy: str = "auto"
    launcher: str = "local"
    divergence_margin: float | None = 2.0

    @property
    def num_processes(self) -> int:
        """Return how many processes train the run together."""
        return self.devices * self.num_nodes

    def share_of(self, batch_size: int) -> int:
        """Return the sequences of a step that each process trains on.

        Raises ConfigError where the batch cannot be divided evenly: what is left over would be
        counted and not seen.
        """
        multiple = self.num_processes * (self.micro_batch_size or 1)
        if batch_size % multiple:
            raise ConfigError(
                "batch_size must be a multiple of micro_batch_size * devices * num_nodes "
                f"({multiple}), but is {batch_size}: change one of them"
            )
        return batch_size // self.num_processes


def use_accelerator(execution: Execution) -> None:
    """Make this process see the GPUs that its run may use; before anything asks torch for them.

    Raises ConfigError where a GPU is required and there is none.
    """
    if execution.accelerator == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    elif execution.accelerator == "gpu" and not torch.cuda.is_available():
        raise ConfigError(
            f"torch finds no GPU on {platform.node()}, and training.accelerator is gpu: train "
            "where there is one, or set training.accelerator to auto or cpu"
        )


# Where each launcher writes a process's place among the others.
_RANKS = {
    "local": ("NODE_RANK", "LOCAL_RANK"),
    "srun": ("SLURM_PROCID",),
    "torchrun": ("RANK",),
}


_STARTED = "MIXLAWS_STARTED_BY_SRUN"


def start_processes(execution: Execution) -> None:
    """Replace this process by all of a run's, where srun is to start them, each at this script.

    The script then comes here again, once per process, and goes on. Raises ConfigError outside a
    job of SLURM.
    """
    if execution.launcher != "srun" or execution.num_processes == 1 or _STARTED in os.environ:
        return
    if "SLURM_JOB_ID" not in os.environ:
        raise ConfigError(
            f"launcher srun must run inside a SLURM job, to start {execution.num_processes} "
            "processes, but this is none: use `snakemake --profile slurm`, or launcher local"
        )
    os.environ[_STARTED] = "1"
    if execution.num_nodes == 1:  # its name need not resolve, not even on the node itself
        os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    command = ["srun", f"--nodes={execution.num_nodes}", f"--ntasks={execution.num_processes}"]
    command += [f"--ntasks-per-node={execution.devices}", "--kill-on-bad-exit=1"]
    command += [f"--cpus-per-task={execution.num_threads}"]
    os.execvp("srun", [*command, sys.executable, *sys.argv])


def is_main_process(execution: Execution) -> bool:
    """Return whether this process writes the results; the only one always does."""
    if execution.num_processes == 1:
        return True
    return all(os.environ.get(name, "0") == "0" for name in _RANKS[execution.launcher])


def make_environment(execution: Execution) -> ClusterEnvironment:
    """Return who starts the processes; Lightning would guess it from SLURM's variables."""
    if execution.launcher == "srun":
        return SLURMEnvironment(auto_requeue=False)
    if execution.launcher == "torchrun":
        return TorchElasticEnvironment()
    return LightningEnvironment()


def make_strategy(execution: Execution) -> Any:
    """Return how several devices share a run."""
    if execution.strategy == "ddp":
        return DDPStrategy(gradient_as_bucket_view=True)
    if execution.strategy == "fsdp":
        return ModelParallelStrategy(
            data_parallel_size=execution.num_processes,
            tensor_parallel_size=1,
            save_distributed_checkpoint=False,
        )
    return "auto"
