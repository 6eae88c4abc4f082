"""Account for every document and token, and count the repetitions of validation text."""

from typing import TYPE_CHECKING

from mixlaws.provenance import log_to
from mixlaws.text.accounting import Roles, account_tokens

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

account_tokens(
    list(zip(snakemake.input.tokens, snakemake.input.manifests, strict=True)),
    snakemake.input.duplicates,
    Roles(snakemake.params.training_domains, snakemake.params.not_compared),
    accounting=snakemake.output.accounting,
    contamination=snakemake.output.contamination,
)
