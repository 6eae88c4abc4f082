"""Write the page of continual pre-training."""

from typing import TYPE_CHECKING

from mixlaws.report.continual_page import write_continual_report
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])
write_continual_report(snakemake.params.results, snakemake.params.config, snakemake.output[0])
