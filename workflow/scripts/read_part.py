"""Read the documents of one part of a domain, and record what was read."""

from typing import TYPE_CHECKING

from mixlaws.text.reading import read_part
from mixlaws.text.parts import part_from_param
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

read_part(
    snakemake.params.domain,
    snakemake.params.options,
    part_from_param(snakemake.params.part).stamped(snakemake.params.stamps),
    validation_share=snakemake.params.validation_share,
    output=snakemake.output[0],
)
