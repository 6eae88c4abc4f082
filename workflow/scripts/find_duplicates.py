"""Find documents that stand in more than one domain or split."""

from typing import TYPE_CHECKING

from mixlaws.duplicates import find_duplicates
from mixlaws.runtime import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

documents = dict(zip(snakemake.params.domains, snakemake.input, strict=True))
find_duplicates(documents, output=snakemake.output[0])
