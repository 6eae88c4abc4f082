"""Run the paper's pipeline: step law, size law, mixing law, search."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.paper.extrapolation import extrapolate_losses
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

extrapolate_losses(
    Path(snakemake.input[0]).parent,
    snakemake.params.groups,
    snakemake.params.settings,
    dict(snakemake.output.items()),
)
