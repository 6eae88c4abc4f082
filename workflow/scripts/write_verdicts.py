"""Compare the paper's numbers with ours."""

from typing import TYPE_CHECKING

from mixlaws.paper.measures import write_verdicts
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

write_verdicts(snakemake.params.results, snakemake.params.published, snakemake.output[0])
