"""Weights of the validation domains as a vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mixlaws.errors import DataError


def weight_vector(weights: Mapping[str, float], validation_domains: Sequence[str]) -> np.ndarray:
    """Return s (V,): the weight of each validation domain, zero where none is given."""
    if unknown := sorted(set(weights) - set(validation_domains)):
        raise DataError(
            f"the losses must cover every weighted validation domain, but {unknown} are missing"
        )
    return np.array([weights.get(domain, 0.0) for domain in validation_domains])
