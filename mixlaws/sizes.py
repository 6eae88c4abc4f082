"""Model shapes: the non-embedding parameter count N and the training FLOPs per token."""

from __future__ import annotations

from dataclasses import dataclass

FEED_FORWARD_FACTOR = 4  # hidden width of the feed-forward block over the model width


@dataclass(frozen=True)
class Shape:
    """The shape of a decoder-only transformer without biases."""

    num_layers: int
    model_width: int
    num_heads: int

    @property
    def num_params(self) -> int:
        """Return N: attention (4 d^2), feed-forward (8 d^2) and the gains of the RMSNorms."""
        width = self.model_width
        matrices = (4 + 2 * FEED_FORWARD_FACTOR) * width**2
        return self.num_layers * (matrices + 2 * width) + width

    def flops_per_token(self, *, vocabulary_size: int, sequence_length: int) -> int:
        """Return training FLOPs per token: 6 (12 L d^2 + V d) + 6 L T d.

        Forward and backward, causal attention counted by half, vocabulary head counted,
        embedding lookup not.
        """
        layers, width = self.num_layers, self.model_width
        matrices = (4 + 2 * FEED_FORWARD_FACTOR) * layers * width**2
        return 6 * (matrices + vocabulary_size * width) + 6 * layers * sequence_length * width
