"""The config's section on how to divide a number of FLOPs between size and tokens."""

from __future__ import annotations

from typing import Annotated

from mixlaws.config.section import Number, OneOf, Section, key
from mixlaws.decision.counting import COUNTS


class ComputeBudget(Section):
    """Ask which size and how many tokens give the lowest loss for a number of FLOPs."""

    flops: Number = key("Training FLOPs of one run; write 1.0e+21.", unit="FLOPs", gt=0)
    mixture: str | None = key(
        "Id of a trained mixture whose runs L(N, D) is fitted to; null takes the first baseline "
        "with at least three sizes.",
        default=None,
    )
    count: Annotated[str, OneOf(COUNTS)] = key(
        "How FLOPs are counted: 6ND by the rule 6 N D; counted with the vocabulary head and "
        "attention too (of losses that you have: with losses.compute_params).",
        default="6ND",
    )
