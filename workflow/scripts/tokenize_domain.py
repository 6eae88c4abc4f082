"""Turn one split of one domain into a token file and its manifest."""

from typing import TYPE_CHECKING

from mixlaws.runtime import log_to
from mixlaws.tokenization import write_tokens

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

write_tokens(
    snakemake.input.documents,
    snakemake.input.duplicates,
    snakemake.input.tokenizer,
    split=snakemake.wildcards.split,
    tokens=snakemake.output.tokens,
    manifest=snakemake.output.manifest,
)
