"""The paper's exponential mixing law, M4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np

from mixlaws.laws.mixing.implicit import Implicit


class Exponential(Implicit):
    """L_i(r) = c_i + k_i exp(sum_j t_ij r_j): the paper's law, M4 (equations 1 and 7).

    It is the implicit law with one term, with K + 1 identifiable parameters per validation domain.
    Without the ridge on the contrasts of t, a fit to twenty mixtures diverges (to t of +-40).
    """

    name: ClassVar[str] = "exponential"
    decides_from: ClassVar[float | None] = 0
    fixed_terms: ClassVar[int | None] = 1

    def parameters(self) -> dict[str, np.ndarray]:
        """Return c and k (V,), and t (V, K) with mean zero over the training domains."""
        return {"c": self.c, "k": self.k[:, 0], "t": self.t[:, 0]}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, np.ndarray]) -> Self:
        """Return the law with these parameters, named as `parameters` names them."""
        return cls(parameters["c"], parameters["k"][:, None], parameters["t"][:, None])
