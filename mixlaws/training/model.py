"""The transformer in two layouts: RoPE and RMSNorm without biases, or GPT-NeoX's (Pythia).

Shape letters: B sequences, T positions, d model width, h heads, V vocabulary, n tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from mixlaws.runs.shapes import FEED_FORWARD_FACTOR, Shape

ROPE_BASE = 10_000.0  # Su et al. 2021, section 3.4
NEOX_ROTARY_SHARE = 0.25  # of each head's width (Black et al. 2022, section 2.1.1)
EMBEDDING_STD = 0.05
REFERENCE_WIDTH = 64  # the model width at which base rates and scales are stated
# fp32's own; stated, because the default of nn.RMSNorm follows the dtype of its input.
RMS_EPSILON = torch.finfo(torch.float32).eps
LAYER_NORM_EPSILON = 1e-5
# Logits of more elements than this are never held at once: 256 MiB in fp32.
MAX_LOGITS = 2**26
# Of the compiled loss on a GPU, in bf16 and without copies in fp32: 1 GiB, and their gradient. Long
# chunks fill the device, and the head's gradient in fp32 is read and written less often.
MAX_FUSED_LOGITS = 2**29


class Attention(nn.Module):
    """Causal self-attention with rotary position embedding."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.num_heads = shape.num_heads
        bias = shape.layout == "neox"
        self.qkv = nn.Linear(shape.model_width, 3 * shape.model_width, bias=bias)
        self.out = nn.Linear(shape.model_width, shape.model_width, bias=bias)

    def forward(self, x: torch.Tensor, rotation: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Return (B, T, d)."""
        batch, length, width = x.shape
        heads = self.qkv(x).view(batch, length, 3, self.num_heads, -1)
        query, key, value = heads.unbind(2)  # each (B, T, h, d / h)
        query, key = rotate(query, *rotation), rotate(key, *rotation)
        # Turned after the rotation: attention answers in its query's layout, as `out` reads it.
        query, key, value = (tensor.transpose(1, 2) for tensor in (query, key, value))
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    """Attention and feed-forward, each on a normalised copy of the residual stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, bias = shape.model_width, shape.layout == "neox"
        self.is_parallel = shape.layout == "neox"
        self.attention_norm = make_norm(shape)
        self.attention = Attention(shape)
        self.feed_forward_norm = make_norm(shape)
        self.up = nn.Linear(width, FEED_FORWARD_FACTOR * width, bias=bias)
        self.down = nn.Linear(FEED_FORWARD_FACTOR * width, width, bias=bias)

    def forward(self, x: torch.Tensor, rotation: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Return (B, T, d)."""
        attended = x + self.attention(self.attention_norm(x), rotation)
        source = x if self.is_parallel else attended
        hidden = functional.gelu(self.up(self.feed_forward_norm(source)))
        return attended + self.down(hidden)


Call = Callable[..., torch.Tensor]


def call(module: nn.Module, *inputs: Any) -> torch.Tensor:
    """Return what a module makes of its inputs.

    Compiled, it is compiled once for all blocks of a model, which differ in their weights only: in
    seconds, and not in minutes for a deep one.
    """
    return module(*inputs)


class Transformer(nn.Module):
    """Token ids in, logits out."""

    cosine: torch.Tensor
    sine: torch.Tensor

    def __init__(
        self,
        shape: Shape,
        *,
        vocabulary_size: int,
        sequence_length: int,
        tied: bool = True,
        scale_logits: bool = False,
    ) -> None:
        super().__init__()
        self.shape = shape
        width = shape.model_width
        self.embedding = nn.Embedding(vocabulary_size, width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.num_layers))
        self.norm = make_norm(shape)
        self.head = None if tied else nn.Linear(width, vocabulary_size, bias=False)
        self.logit_scale = REFERENCE_WIDTH / width if scale_logits else 1.0
        cosine, sine = rotation_table(sequence_length, rotary_width(shape))
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)
        self._initialise(shape.num_layers)

    def _initialise(self, num_layers: int) -> None:
        """Keep activations of unit scale at any width; shrink what adds to the residual stream.

        An untied head starts smaller by the square root of the width (Yang et al. 2022, table 3),
        so that its logits stay small at any width.
        """
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_STD)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.ndim == 2 and name != "embedding.weight":
                is_residual = name.endswith(("out.weight", "down.weight"))
                scale = 1 / math.sqrt(2 * num_layers) if is_residual else 1.0
                if name == "head.weight":
                    scale = math.sqrt(REFERENCE_WIDTH / parameter.shape[1])
                nn.init.normal_(parameter, std=scale / math.sqrt(parameter.shape[1]))

    @property
    def head_weight(self) -> torch.Tensor:
        """Return the vocabulary head's matrix (V, d)."""
        return self.embedding.weight if self.head is None else self.head.weight

    def hidden(self, ids: torch.Tensor, call: Call = call) -> torch.Tensor:
        """Return what the vocabulary head reads (B, T, d), of token ids (B, T).

        `call` applies each block and the last norm: `call` of this module, compiled or not.
        """
        x = self.embedding(ids)
        if torch.is_autocast_enabled(x.device.type):
            # The residual stream in half precision, as in Megatron-LM: half the traffic.
            x = x.to(torch.get_autocast_dtype(x.device.type))
        length = ids.shape[1]
        rotation = (self.cosine[:length, None], self.sine[:length, None])  # (T, 1, rotated / 2)
        for block in self.blocks:
            x = call(block, x, rotation)
        hidden = call(self.norm, x)
        return hidden if self.logit_scale == 1 else hidden * self.logit_scale

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return logits (B, T, V) of token ids (B, T)."""
        return functional.linear(self.hidden(ids), self.head_weight)

    def num_non_embedding_params(self) -> int:
        """Return N, the count that every law uses."""
        total = sum(parameter.numel() for parameter in self.parameters())
        heads = {id(weight): weight for weight in (self.embedding.weight, self.head_weight)}
        return total - sum(weight.numel() for weight in heads.values())


def make_norm(shape: Shape) -> nn.Module:
    """Return a layout's normalisation."""
    if shape.layout == "neox":
        return nn.LayerNorm(shape.model_width, eps=LAYER_NORM_EPSILON)
    return nn.RMSNorm(shape.model_width, eps=RMS_EPSILON)


def rotary_width(shape: Shape) -> int:
    """Return how many of a head's dimensions are rotated."""
    width = shape.model_width // shape.num_heads
    return 2 * int(width * NEOX_ROTARY_SHARE / 2) if shape.layout == "neox" else width


def rotation_table(length: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return cosine and sine (length, width / 2) of every position and frequency."""
    frequencies = ROPE_BASE ** (-torch.arange(0, width, 2) / width)
    angles = torch.outer(torch.arange(length), frequencies)
    return angles.cos(), angles.sin()


def rotate(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    """Rotate each half-pair of the last axis by its position's angle; x is (B, T, h, d / h).

    Where the table is narrower than the heads, their last dimensions stay as they are.
    """
    width = 2 * cosine.shape[-1]
    first, second = x[..., :width].chunk(2, dim=-1)
    turned = (first * cosine - second * sine, first * sine + second * cosine)
    if width == x.shape[-1]:
        return torch.cat(turned, dim=-1).to(x.dtype)
    return torch.cat((*turned, x[..., width:]), dim=-1).to(x.dtype)


Kernel = Callable[[torch.Tensor, torch.Tensor, int], tuple[torch.Tensor, torch.Tensor]]


def loss_and_gradient(
    logits: torch.Tensor, targets: torch.Tensor, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the summed loss of logits (n, V) and the gradient of the mean over `count`."""
    values = logits.float()
    log_sum = values.logsumexp(dim=-1, keepdim=True)
    picked = targets[:, None]
    loss = (log_sum - values.gather(1, picked)).sum()
    gradient = (values - log_sum).exp() / count
    gradient.scatter_add_(1, picked, torch.full_like(log_sum, -1.0 / count))
    return loss, gradient.to(logits.dtype)


def fused_loss_and_gradient(
    logits: torch.Tensor, targets: torch.Tensor, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the same numbers, in the form that the compiler makes one kernel of.

    A comparison stands for the scatter: a deterministic scatter is a kernel of its own, and would
    have the gradient written and read in fp32.
    """
    values = logits.float()
    log_sum = values.logsumexp(dim=-1, keepdim=True)
    picked = targets[:, None]
    loss = (log_sum - values.gather(1, picked)).sum()
    is_target = torch.arange(logits.shape[1], device=logits.device) == picked
    gradient = (values - log_sum).exp() / count + torch.where(is_target, -1.0 / count, 0.0)
    return loss, gradient.to(logits.dtype)


def mean_cross_entropy(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    targets: torch.Tensor,
    kernel: Kernel = loss_and_gradient,
) -> torch.Tensor:
    """Return the mean loss in nats of hidden (B, T, d) under the head (V, d), targets (B, T).

    `kernel` is loss_and_gradient, or fused_loss_and_gradient compiled.
    """
    hidden, targets = hidden.flatten(0, 1), targets.flatten()
    if len(targets) * len(weight) <= MAX_LOGITS:
        logits = functional.linear(hidden, weight)
        return functional.cross_entropy(logits.float(), targets)
    return ChunkedCrossEntropy.apply(hidden, weight, targets, kernel)


def equal_chunk(count: int, most: int) -> int:
    """Return the length of chunks of at most `most`: equal ones if not too many are needed.

    A last chunk of another length would be compiled anew, for any length.
    """
    fewest = -(-count // most)
    for number in range(fewest, 2 * fewest + 1):
        if count % number == 0:
            return count // number
    return most


class ChunkedCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of a linear head that never holds all logits.

    The gradient of each chunk of tokens is taken while its logits are there: three products with
    the head as without chunks, and no recomputation in the backward pass.
    """

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        targets: torch.Tensor,
        kernel: Kernel,
    ) -> torch.Tensor:
        """Return the mean over tokens of hidden (n, d), weight (V, d), targets (n,)."""
        device = hidden.device.type
        dtype = hidden.dtype
        if torch.is_autocast_enabled(device):
            dtype = torch.get_autocast_dtype(device)
        matrix = weight.to(dtype)
        hidden_gradient = torch.empty_like(hidden)
        weight_gradient = torch.zeros_like(weight)
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        chunk = max(1, MAX_LOGITS // len(weight))
        if hidden.is_cuda and kernel is not loss_and_gradient:
            chunk = equal_chunk(len(targets), max(1, MAX_FUSED_LOGITS // len(weight)))
        with torch.autocast(device, enabled=False):
            for start in range(0, len(targets), chunk):
                rows = slice(start, start + chunk)
                part = hidden[rows].to(dtype)
                loss, gradient = kernel(part @ matrix.T, targets[rows], len(targets))
                total += loss
                hidden_gradient[rows] = gradient @ matrix
                weight_gradient += gradient.T @ part
        ctx.save_for_backward(hidden_gradient, weight_gradient)
        return total / len(targets)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *gradients: torch.Tensor
    ) -> tuple[torch.Tensor | None, ...]:
        """Scale what the forward pass left."""
        (gradient,) = gradients
        hidden, weight = ctx.saved_tensors  # type: ignore[attr-defined]
        return hidden * gradient, weight * gradient, None, None
