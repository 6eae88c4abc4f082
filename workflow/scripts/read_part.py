"""Read one part of one domain: its documents and the record of what was read."""

from typing import TYPE_CHECKING

from mixlaws.text.reading import domain_source, write_documents
from mixlaws.text.parts import part_from_param
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

domain = domain_source(
    snakemake.params.domain,
    snakemake.params.options,
    validation_share=snakemake.params.validation_share,
)
write_documents(domain, part_from_param(snakemake.params.part), snakemake.output[0])
