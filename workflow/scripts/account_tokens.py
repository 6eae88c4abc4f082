"""Verify every token file and account for every document and token."""

from typing import TYPE_CHECKING

from mixlaws.losses import write_table
from mixlaws.runtime import log_to
from mixlaws.tokens import accounting_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

files = zip(snakemake.input.tokens, snakemake.input.manifests, strict=True)
table = accounting_table(list(files), training_domains=snakemake.params.training_domains)
write_table(table, snakemake.output[0])
