"""Find the best size, tokens and mixture for a number of FLOPs from the published losses."""

from typing import TYPE_CHECKING

from mixlaws.paper.budget import divide_published
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

divide_published(
    snakemake.params.results,
    snakemake.params.config,
    budget=snakemake.output.budget,
    isoflop=snakemake.output.isoflop,
)
