"""Draw the figures of continual pre-training, each with its table."""

from typing import TYPE_CHECKING

from mixlaws.figures import draw_continual
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])
draw_continual(snakemake.params.results, snakemake.output[0])
