"""Turn the documents of one shard into token ids."""

from typing import TYPE_CHECKING

from mixlaws.text.parts import shard_from_param
from mixlaws.provenance import log_to
from mixlaws.text.tokenization import tokenize_shard

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

tokenize_shard(
    snakemake.input.documents,
    shard_from_param(snakemake.params.shard),
    snakemake.input.duplicates,
    snakemake.input.tokenizer,
    output=snakemake.output[0],
    num_threads=snakemake.threads,
)
