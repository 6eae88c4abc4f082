"""Account for every document and token, and for what repeats validation text."""

from typing import TYPE_CHECKING

from mixlaws.tables import write_table
from mixlaws.provenance import log_to
from mixlaws.text.accounting import accounting_table, contamination_table
from mixlaws.text.tokens import read_manifest

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

domains = snakemake.params.training_domains
files = list(zip(snakemake.input.tokens, snakemake.input.manifests, strict=True))
table = accounting_table(
    files, training_domains=domains, sequence_length=snakemake.params.sequence_length
)
write_table(table, snakemake.output.accounting)
manifests = [read_manifest(manifest) for _, manifest in files]
validation = [manifest for manifest in manifests if manifest.split == "validation"]
overlap = contamination_table(
    snakemake.input.duplicates,
    validation,
    domains,
    not_compared=snakemake.params.not_compared,
)
write_table(overlap, snakemake.output.contamination)
