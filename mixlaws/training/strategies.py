"""How several processes share a run, in Lightning's terms."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy

from mixlaws.training.execution import Execution


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
