"""Read one domain's documents, drop repetitions, and split them by content."""

from typing import TYPE_CHECKING

from mixlaws.domains import domain_source, write_documents
from mixlaws.runtime import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

domain = domain_source(
    snakemake.wildcards.domain,
    snakemake.params.domain,
    validation_share=snakemake.params.validation_share,
)
write_documents(domain, documents=snakemake.output.documents, record=snakemake.output.record)
