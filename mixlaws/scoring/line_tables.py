"""The log-log lines as tidy tables: line_law.csv and slope_tests.csv."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mixlaws.laws.loglog import LogLogFit
from mixlaws.laws.overall import Columns
from mixlaws.laws.slopes import SlopeTest

LINE_COLUMNS = ("mixture", "validation_domain", "loss", "log_sd")
TEST_COLUMNS = (
    *("regressor", "validation_domain", "num_mixtures", "mean", "sd", "lowest", "highest"),
    *("f", "degrees", "degrees_noise", "p"),
)


def line_table(
    lines: LogLogFit | None, tests: Sequence[SlopeTest], domains: Sequence[str]
) -> pd.DataFrame:
    """Return one row per mixture and validation domain; no rows without lines.

    loss = exp(offset) is the line's loss at the target (nats) and log_sd the sd of its logarithm.
    slope_<regressor> is common to all mixtures, own_slope_<regressor> is the mixture's own where
    it was measured: ln L = ln loss + sum of slope ln(x / x at the target).
    """
    if lines is None:
        return pd.DataFrame(columns=list(LINE_COLUMNS))
    num_mixtures, num_domains = lines.losses.shape
    table = pd.DataFrame(
        {
            "mixture": np.repeat(lines.mixtures, num_domains),
            "validation_domain": np.tile(np.array(domains, dtype=object), num_mixtures),
            "loss": lines.losses.ravel(),
            "log_sd": lines.log_sd.ravel(),
        }
    )
    for regressor, slopes in lines.slopes.items():
        table[f"slope_{regressor}"] = np.tile(slopes, num_mixtures)
    for test in tests:
        own = pd.DataFrame(test.slopes[:, :num_domains], index=test.mixtures, columns=list(domains))
        column = own.reindex(lines.mixtures).to_numpy().ravel()
        table[f"own_slope_{test.regressor}"] = column
    return table


def slope_test_table(tests: Sequence[SlopeTest], columns: Columns) -> pd.DataFrame:
    """Return one row per regressor and validation domain, overall included."""
    parts = [
        pd.DataFrame(
            {
                "regressor": test.regressor,
                "validation_domain": list(columns.names),
                "num_mixtures": len(test.mixtures),
                "mean": test.slopes.mean(axis=0),
                "sd": test.slopes.std(axis=0, ddof=1),
                "lowest": test.slopes.min(axis=0),
                "highest": test.slopes.max(axis=0),
                "f": test.f,
                "degrees": test.degrees[0],
                "degrees_noise": test.degrees[1],
                "p": test.p,
            }
        )
        for test in tests
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=TEST_COLUMNS)
