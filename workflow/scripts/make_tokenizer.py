"""Train the tokenizer on the training split, or adopt the one that the config names."""

from typing import TYPE_CHECKING

from mixlaws.text.parts import by_domain
from mixlaws.provenance import log_to
from mixlaws.text.tokenizer import make_tokenizer

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

make_tokenizer(
    snakemake.params.tokenizer,
    documents=by_domain(snakemake.input.documents),
    duplicates=snakemake.input.duplicates,
    output=snakemake.output[0],
)
