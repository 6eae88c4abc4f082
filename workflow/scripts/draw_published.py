"""Draw the paper's figures from our tables."""

from typing import TYPE_CHECKING

from mixlaws.paper.figures import draw_published
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

draw_published(snakemake.params.results, snakemake.params.config, snakemake.output[0])
