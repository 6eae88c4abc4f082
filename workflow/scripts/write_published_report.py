"""Write the page of the reproduction."""

from typing import TYPE_CHECKING

from mixlaws.paper.page import write_published_report
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

write_published_report(snakemake.params.results, snakemake.params.config, snakemake.output[0])
