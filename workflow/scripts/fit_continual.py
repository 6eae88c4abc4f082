"""Fit the critical proportion of continual pre-training."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.paper.forgetting import fit_continual
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

fit_continual(
    Path(snakemake.input[0]).parent,
    snakemake.params.settings,
    snakemake.params.seed,
    snakemake.params.level,
    dict(snakemake.output.items()),
)
