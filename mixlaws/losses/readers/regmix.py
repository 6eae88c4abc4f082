"""Reader of the published tables of RegMix (Liu et al., arXiv:2407.01492)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixlaws.losses.imported import make_swarm
from mixlaws.losses.raw import Raw, read_columns, read_shares
from mixlaws.losses.readers.tables import column_matcher, long_form
from mixlaws.losses.swarm import Swarm

LOSS_COLUMNS = "metric/the_pile_*_val_loss"
SHARE_PREFIX = "train_the_pile_"
TOKENS = 1e9
"""Every proxy was trained on about 1B tokens, in 1000 steps (section 3.1)."""
STEP = 1000
_SIZE = re.compile(r"_(\d+[mb])\.csv", re.IGNORECASE)


def read_regmix(options: Mapping[str, Any], files: Mapping[str, Path]) -> Swarm:
    """Read a pair of RegMix tables, for one size and one checkpoint, and join them by index.

    `files`: `mixtures` (train_mixture_1m.csv) and `losses` (train_pile_loss_1m.csv). The size is
    that of the file's name unless `options` state `size` or `sizes`; the tokens are RegMix's.
    """
    match = column_matcher(LOSS_COLUMNS)
    table, problems = read_columns(files["losses"], lambda name: match(name) is not None)
    table = table.rename(columns={"index": "mixture"})
    losses = long_form(table, match, files["losses"], LOSS_COLUMNS)
    losses["mixture"] = losses["mixture"].cat.rename_categories(_mixture_id)
    mixtures, domains, digits, others = read_shares(files["mixtures"], id_columns=("index",))
    short = {name: name.removeprefix(SHARE_PREFIX) for name in domains}
    mixtures = mixtures.rename(columns=short).assign(id=mixtures["id"].map(_mixture_id))
    raw = Raw(
        losses=losses.assign(step=float(STEP)),
        losses_name=files["losses"].name,
        mixtures=mixtures,
        mixtures_name=files["mixtures"].name,
        domains=list(short.values()),
        digits=digits,
        problems=[*problems, *others],
    )
    return make_swarm(raw, {**options, **_of_the_paper(options, files["losses"])})


def _of_the_paper(options: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return size and tokens as the paper has them, where the options state none."""
    found = {"tokens": options.get("tokens") or TOKENS, "size": options.get("size")}
    if found["size"] is None and (size := _SIZE.search(path.name)):
        found["size"] = size[1].upper()
    return found


def _mixture_id(index: str) -> str:
    """Return the id of a mixture by its row in RegMix's tables: mix-001."""
    return f"mix-{int(index):03d}" if index.isdigit() else index
