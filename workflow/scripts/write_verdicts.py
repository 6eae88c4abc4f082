"""Compare the paper's numbers with ours."""

from typing import TYPE_CHECKING

from mixlaws.tables import write_table
from mixlaws.paper.measures import measure
from mixlaws.paper.verdicts import judge
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

published = snakemake.params.published
measured = measure(snakemake.params.results, published)
write_table(judge(published["claims"], measured), snakemake.output[0])
