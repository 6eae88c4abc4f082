"""Draw every figure of the report, and write its table beside it."""

from typing import TYPE_CHECKING

from mixlaws.figures import draw_figures
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

draw_figures(snakemake.params.results, snakemake.params.config, snakemake.output[0])
