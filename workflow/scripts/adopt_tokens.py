"""Use the token files of an earlier experiment as a domain of this one."""

from typing import TYPE_CHECKING

from mixlaws.text.sources.token_files import adopt_tokens
from mixlaws.text.tokens import Allowed
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

adopt_tokens(
    (snakemake.input.tokens, snakemake.input.manifest),
    domain=snakemake.wildcards.domain,
    split=snakemake.wildcards.split,
    tokenizer=snakemake.input.tokenizer,
    output=(snakemake.output.tokens, snakemake.output.manifest),
    allowed=Allowed(**snakemake.params.allowed),
)
