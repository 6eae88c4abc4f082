"""The transformer: decoder-only, RoPE, RMSNorm, tied embeddings, no biases.

Shape letters: B sequences, T positions, d model width, h heads, V vocabulary.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from mixlaws.sizes import FEED_FORWARD_FACTOR, Shape

ROPE_BASE = 10_000.0  # Su et al. 2021, section 3.4
EMBEDDING_STD = 0.05


class Attention(nn.Module):
    """Causal self-attention with rotary position embedding."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.num_heads = shape.num_heads
        self.qkv = nn.Linear(shape.model_width, 3 * shape.model_width, bias=False)
        self.out = nn.Linear(shape.model_width, shape.model_width, bias=False)

    def forward(self, x: torch.Tensor, rotation: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Return (B, T, d)."""
        batch, length, width = x.shape
        heads = self.qkv(x).view(batch, length, 3, self.num_heads, -1)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each (B, h, T, d / h)
        query, key = rotate(query, *rotation), rotate(key, *rotation)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    """Attention and feed-forward, each on a normalised copy of the residual stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.model_width
        self.attention_norm = nn.RMSNorm(width)
        self.attention = Attention(shape)
        self.feed_forward_norm = nn.RMSNorm(width)
        self.up = nn.Linear(width, FEED_FORWARD_FACTOR * width, bias=False)
        self.down = nn.Linear(FEED_FORWARD_FACTOR * width, width, bias=False)

    def forward(self, x: torch.Tensor, rotation: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Return (B, T, d)."""
        x = x + self.attention(self.attention_norm(x), rotation)
        return x + self.down(functional.gelu(self.up(self.feed_forward_norm(x))))


class Transformer(nn.Module):
    """Token ids in, logits out."""

    cosine: torch.Tensor
    sine: torch.Tensor

    def __init__(self, shape: Shape, *, vocabulary_size: int, sequence_length: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, shape.model_width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.num_layers))
        self.norm = nn.RMSNorm(shape.model_width)
        cosine, sine = rotation_table(sequence_length, shape.model_width // shape.num_heads)
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)
        self._initialise(shape.num_layers)

    def _initialise(self, num_layers: int) -> None:
        """Keep activations of unit scale at any width; shrink what adds to the residual stream."""
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_STD)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2 and name != "embedding.weight":
                is_residual = name.endswith(("out.weight", "down.weight"))
                scale = 1 / math.sqrt(2 * num_layers) if is_residual else 1.0
                nn.init.normal_(parameter, std=scale / math.sqrt(parameter.shape[1]))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return logits (B, T, V) of token ids (B, T)."""
        x = self.embedding(ids)
        rotation = (self.cosine[: ids.shape[1]], self.sine[: ids.shape[1]])
        for block in self.blocks:
            x = block(x, rotation)
        return functional.linear(self.norm(x), self.embedding.weight)

    def num_non_embedding_params(self) -> int:
        """Return N, the count that every law uses."""
        total = sum(parameter.numel() for parameter in self.parameters())
        return total - self.embedding.weight.numel()


def rotation_table(length: int, head_width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return cosine and sine (length, head_width / 2) of every position and frequency."""
    frequencies = ROPE_BASE ** (-torch.arange(0, head_width, 2) / head_width)
    angles = torch.outer(torch.arange(length), frequencies)
    return angles.cos(), angles.sin()


def rotate(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    """Rotate each half-pair of the last axis by its position's angle; x is (B, h, T, d / h)."""
    first, second = x.chunk(2, dim=-1)
    turned = (first * cosine - second * sine, first * sine + second * cosine)
    return torch.cat(turned, dim=-1)
