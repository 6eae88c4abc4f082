"""Verify a token file against its manifest and put both in their place."""

from typing import TYPE_CHECKING

from mixlaws.provenance import log_to
from mixlaws.files import write_json
from mixlaws.text.tokens import publish_tokens, read_manifest

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

publish_tokens(
    snakemake.input.tokens,
    read_manifest(snakemake.input.manifest),
    tokens=snakemake.output.tokens,
    manifest=snakemake.output.manifest,
)
write_json(snakemake.params.sizes, snakemake.params.division)
