"""Join the shards of one split of one domain into its token file and manifest."""

from typing import TYPE_CHECKING

from mixlaws.provenance import log_to
from mixlaws.text.joining import join_shards
from mixlaws.text.tokens import Allowed

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

join_shards(
    snakemake.input,
    split=snakemake.wildcards.split,
    tokens=snakemake.output.tokens,
    manifest=snakemake.output.manifest,
    allowed=Allowed(**snakemake.params.allowed),
)
