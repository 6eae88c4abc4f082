"""Check every domain as a whole; find documents that stand in more than one place."""

from typing import TYPE_CHECKING

from mixlaws.text.checks import check_domains
from mixlaws.text.duplicates import find_duplicates
from mixlaws.text.parts import by_domain
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

documents = by_domain(snakemake.input)
check_domains(documents)
find_duplicates(documents, near=snakemake.params.near, output=snakemake.output[0])
