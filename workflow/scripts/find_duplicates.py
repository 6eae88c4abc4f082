"""Check every domain as a whole, and find documents that occur more than once."""

from typing import TYPE_CHECKING

from mixlaws.text.duplicates import find_duplicates
from mixlaws.text.parts import by_domain
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

find_duplicates(
    by_domain(snakemake.input),
    near=snakemake.params.near,
    output=snakemake.output[0],
)
