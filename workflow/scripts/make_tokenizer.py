"""Train the tokenizer on the training split, or adopt the one that the config names."""

from typing import TYPE_CHECKING

from mixlaws.runtime import log_to
from mixlaws.tokenization import make_tokenizer

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

make_tokenizer(
    snakemake.params.tokenizer,
    documents=dict(zip(snakemake.params.domains, snakemake.input.documents, strict=True)),
    duplicates=snakemake.input.duplicates,
    output=snakemake.output[0],
)
