"""The accelerator of this process: which one it is and what it can do.

NVIDIA GPUs are measured (docs/benchmarks.md). AMD GPUs (ROCm, which torch also calls cuda) and
Apple's (MPS) are accepted and untested.
"""

from __future__ import annotations

import os
import platform

import torch

from mixlaws.errors import ConfigError
from mixlaws.training.execution import Execution

BF16 = "bf16-mixed"
FP32 = "32-true"


def use_accelerator(execution: Execution) -> str:
    """Return the accelerator that a run trains on: cuda, mps or cpu.

    A run on the CPU hides all GPUs from its process, before torch looks for them. Raises
    ConfigError where a GPU is required and there is none.
    """
    if execution.accelerator == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    if execution.accelerator == "gpu":
        raise ConfigError(
            f"training.accelerator is gpu, but torch finds no GPU on {platform.node()}. Train on a "
            "machine with a GPU, or set training.accelerator to auto or cpu"
        )
    return "cpu"


def resolve_precision(precision: str, accelerator: str) -> str:
    """Return the precision that `auto` means on this machine.

    Raises ConfigError where bf16 is required and the GPU has no bf16.
    """
    has_bf16 = accelerator == "cpu" or (
        accelerator == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    )
    if precision == BF16 and not has_bf16:
        raise ConfigError(
            f"training.precision is {BF16}, but {device_name(accelerator)} has no bf16. Set it to "
            f"auto or {FP32}"
        )
    if precision != "auto":
        return precision
    return BF16 if accelerator == "cuda" and has_bf16 else FP32


def is_compiled(setting: bool | str, accelerator: str) -> bool:
    """Return whether the model is compiled; `auto` compiles on a cuda device only."""
    return accelerator == "cuda" if setting == "auto" else bool(setting)


def device_name(accelerator: str) -> str:
    """Return the name of the device, as its maker calls it where torch knows that."""
    return torch.cuda.get_device_name() if accelerator == "cuda" else accelerator
