"""The Lightning module: a transformer, its optimizer and the average of its weights."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import lightning.pytorch as pl
import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor
from torch.nn import functional

from mixlaws.runs.run import Run
from mixlaws.training.initial import Initial, Model, make_transformer
from mixlaws.training.model import (
    MAX_LOGITS,
    REFERENCE_WIDTH,
    Call,
    Kernel,
    call,
    fused_loss_and_gradient,
    loss_and_gradient,
    mean_cross_entropy,
)
from mixlaws.training.pretrained import Pretrained


def parameter_groups(model: nn.Module, run: Run) -> list[dict[str, Any]]:
    """Return AdamW's groups. Hidden rates fall as 1 / width; the embedding's does not.

    One base rate then serves all sizes (the maximal-update rule of Yang et al. 2022, table 3). An
    untied head counts as a hidden matrix. A model from elsewhere has one rate, as it is stated.
    """
    if isinstance(model, Pretrained):
        return model.groups(run)
    hidden_rate = run.learning_rate * REFERENCE_WIDTH / run.model_width
    groups: dict[str, list[nn.Parameter]] = {"embedding": [], "hidden": [], "gain": []}
    for name, parameter in model.named_parameters():
        kind = "gain" if parameter.ndim < 2 else "hidden"
        groups["embedding" if name.startswith("embedding") else kind].append(parameter)
    decay = run.weight_decay
    return [
        {"params": groups["embedding"], "lr": run.embedding_learning_rate, "weight_decay": decay},
        {"params": groups["hidden"], "lr": hidden_rate, "weight_decay": decay},
        {"params": groups["gain"], "lr": hidden_rate, "weight_decay": 0.0},
    ]


class LanguageModel(pl.LightningModule):
    """A transformer, its optimizer, and the running average of its weights."""

    def __init__(
        self,
        run: Run,
        vocabulary_size: int,
        *,
        compiled: bool = False,
        initial: Initial | None = None,
    ) -> None:
        super().__init__()
        self.run = run
        self.model: Model
        if initial is None:
            self.model = make_transformer(run, vocabulary_size)
        else:
            self.model = initial.make_model(run, vocabulary_size)
        self.averaged: Model | None = None
        if run.averaging_exponent is not None:
            self.averaged = copy.deepcopy(self.model).requires_grad_(False)
        self.schedule = run.make_schedule()
        self.hidden: Call = self.model.hidden
        self.kernel: Kernel = loss_and_gradient
        if compiled:
            self.hidden = partial(self.model.hidden, call=torch.compile(call))
            self.kernel = torch.compile(fused_loss_and_gradient)
        self.gradient_norm: torch.Tensor | None = None
        self.losses: list[torch.Tensor] = []
        """Losses of the micro-batches since the last optimizer step, on the device."""

    def configure_model(self) -> None:
        """Shard every block and the rest of the model over the devices if the strategy is fsdp."""
        if self.device_mesh is None:
            return
        for model in (self.model, self.averaged):
            if model is None:
                continue
            for block in model.blocks:
                fully_shard(block, mesh=self.device_mesh["data_parallel"])
            fully_shard(model, mesh=self.device_mesh["data_parallel"])
            register_fsdp_forward_method(model, "hidden")
        self.hidden = self.model.hidden

    @property
    def measured(self) -> Model:
        """Return the model whose losses are measured: the average if there is one."""
        return self.model if self.averaged is None else self.averaged

    def end_measuring(self) -> None:
        """Return to training mode and free the gathered shards."""
        self.model.train()
        if isinstance(self.measured, FSDPModule):
            self.measured.reshard()

    def training_step(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the mean loss in nats of batch (B, T + 1)."""
        targets = batch[:, 1:]
        hidden = self.hidden(batch[:, :-1])
        loss = mean_cross_entropy(hidden, self.model.head_weight, targets, self.kernel)
        self.losses.append(loss.detach())
        return loss

    def configure_optimizers(self) -> Any:
        """Return AdamW with the run's schedule."""
        groups = parameter_groups(self.model, self.run)
        optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.95), fused=True)
        rates = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: float(self.schedule.rate(step + 1))
        )
        return [optimizer], [{"scheduler": rates, "interval": "step"}]

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip as Lightning does, and keep the norm, which Lightning discards."""
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        norm = nn.utils.clip_grad_norm_(parameters, self.run.gradient_clip_norm)
        self.gradient_norm = norm.full_tensor() if isinstance(norm, DTensor) else norm

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Take the step, then add the new weights to the average."""
        super().optimizer_step(*args, **kwargs)
        if self.averaged is not None:
            self._average(self.trainer.global_step + 1)

    @torch.no_grad()
    def _average(self, step: int) -> None:
        """Update the power-law average, which makes every point of a run comparable.

        Source: Karras et al. 2024 (arXiv 2312.02696), equation 1. The first weights are copied.
        """
        means = [local(mean) for mean in self.averaged.parameters()]  # type: ignore[union-attr]
        values = [local(value) for value in self.model.parameters()]
        kept = 0.0 if step == 1 else (1 - 1 / step) ** (self.run.averaging_exponent + 1)  # type: ignore[operator]
        if kept == 0.0:
            torch._foreach_copy_(means, values)
        else:
            torch._foreach_lerp_(means, values, 1 - kept)


def local(tensor: torch.Tensor) -> torch.Tensor:
    """Return this process's shard of a sharded tensor; any other tensor as it is."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def sum_type(device: torch.device) -> torch.dtype:
    """Return the type that losses are summed in on a device."""
    return torch.float32 if device.type == "mps" else torch.float64


def measure(model: Model, windows: torch.Tensor) -> torch.Tensor:
    """Return summed loss in nats and correct next tokens over windows (b, T + 1), as (2,) float64.

    Apple's GPUs have no float64; there the sums are float32. Logits exist for one chunk of tokens
    at a time, in fp32.
    """
    hidden = model.hidden(windows[:, :-1]).flatten(0, 1)
    targets = windows[:, 1:].flatten()
    chunk = max(1, MAX_LOGITS // len(model.head_weight))
    sums = torch.zeros(2, dtype=sum_type(windows.device), device=windows.device)
    for part, wanted in zip(hidden.split(chunk), targets.split(chunk), strict=True):
        logits = functional.linear(part, model.head_weight).float()
        sums[0] += functional.cross_entropy(logits, wanted, reduction="sum").to(sums.dtype)
        sums[1] += (logits.argmax(dim=-1) == wanted).sum()
    return sums
