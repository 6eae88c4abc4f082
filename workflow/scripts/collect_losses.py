"""Join the loss files and records of the runs into two tables."""

from typing import TYPE_CHECKING

from mixlaws.losses.collect import collect_losses
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

collect_losses(
    snakemake.input.losses,
    snakemake.input.records,
    snakemake.input.timings,
    dict(snakemake.output),
    planned=snakemake.params.planned,
)
