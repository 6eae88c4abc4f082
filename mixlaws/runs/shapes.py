"""Model shapes: the non-embedding parameter count N and the training FLOPs per token."""

from __future__ import annotations

from dataclasses import dataclass

FEED_FORWARD_FACTOR = 4  # hidden width of the feed-forward block over the model width
LAYOUTS = ("rope", "neox")

# Layers, width and heads of Pythia (Biderman et al. 2023, arXiv 2304.01373, table 1). 305M is not
# Pythia's: it is from Data Mixing Laws, between 160M and 410M.
NAMED_SHAPES = {
    "14M": (6, 128, 4),
    "31M": (6, 256, 8),
    "70M": (6, 512, 8),
    "160M": (12, 768, 12),
    "305M": (16, 1024, 16),
    "410M": (24, 1024, 16),
    "1B": (16, 2048, 8),
    "1.4B": (24, 2048, 16),
    "2.8B": (32, 2560, 32),
}


@dataclass(frozen=True)
class Shape:
    """The shape of a decoder-only transformer.

    Layout `rope`: RMSNorm, no biases, one block after the other. Layout `neox` (GPT-NeoX, Pythia):
    LayerNorm, biases, attention and feed-forward side by side.
    """

    num_layers: int
    model_width: int
    num_heads: int
    layout: str = "rope"

    @property
    def num_params(self) -> int:
        """Return N: attention (4 d^2), feed-forward (8 d^2), norms and, in `neox`, biases.

        Neither the embedding nor the vocabulary head is counted, tied or not.
        """
        width = self.model_width
        if self.layout == "neox":  # 9 d of biases and 4 d of two LayerNorms a block
            return self.num_layers * (self._matrices + 13 * width) + 2 * width
        return self.num_layers * (self._matrices + 2 * width) + width

    @property
    def _matrices(self) -> int:
        """Return the matrix elements of one block."""
        return (4 + 2 * FEED_FORWARD_FACTOR) * self.model_width**2

    def flops_per_token(self, *, vocabulary_size: int, sequence_length: int) -> int:
        """Return training FLOPs per token: 6 (12 L d^2 + V d) + 6 L T d.

        Forward and backward, causal attention counted by half, vocabulary head counted,
        embedding lookup not. MFU everywhere is this times tokens per second over the peak.
        """
        layers, width = self.num_layers, self.model_width
        matrices = layers * self._matrices + vocabulary_size * width
        return 6 * matrices + 6 * layers * sequence_length * width
