"""Write the report page."""

from typing import TYPE_CHECKING

from mixlaws.report.page import write_report
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

write_report(snakemake.params.results, snakemake.params.config, snakemake.output[0])
