"""Shares as written: how precise they are, and what their sum may miss 1 by."""

from __future__ import annotations

import numpy as np
import pandas as pd

EXACT = 1e-9
"""A sum nearer to 1 than this is left as it is."""
LEAST_TOLERANCE = 1e-6
"""Rounding of shares that were computed in single precision."""


def digits_written(table: pd.DataFrame) -> int:
    """Return the largest number of digits after the point among numbers written as text."""
    written = [str(value) for column in table for value in table[column].astype(str).unique()]
    return max((_digits(text) for text in written), default=0)


def _digits(text: str) -> int:
    mantissa, _, exponent = text.lower().partition("e")
    after = len(mantissa.partition(".")[2])
    try:
        return max(after - int(exponent or 0), 0)
    except ValueError:
        return 0


def sum_tolerance(num_domains: int, digits: int) -> float:
    """Return by how much rounding moves a sum: half a last digit per domain."""
    return max(num_domains * 0.5 * 10.0**-digits, LEAST_TOLERANCE)


def rescaled(shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return shares (m, K) with sums of 1, and by how much each sum (m,) missed it.

    Rows within EXACT of 1 keep every bit.
    """
    sums = shares.sum(axis=1)
    divisors = np.where(np.abs(sums - 1) <= EXACT, 1.0, sums)
    return shares / divisors[:, None], sums - 1
