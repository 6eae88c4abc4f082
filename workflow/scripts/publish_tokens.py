"""Verify a token file against its manifest and move both to the experiment's tokens."""

from typing import TYPE_CHECKING

from mixlaws.provenance import log_to
from mixlaws.text.joining import publish_tokens

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

publish_tokens(
    (snakemake.input.tokens, snakemake.input.manifest),
    tokens=snakemake.output.tokens,
    manifest=snakemake.output.manifest,
    sizes=snakemake.params.sizes,
    division=snakemake.params.division,
)
