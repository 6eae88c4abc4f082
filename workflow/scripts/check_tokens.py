"""Check what the counted tokens allow, before any mixture is written and any run is trained."""

from typing import TYPE_CHECKING

from mixlaws.config.counted import check_tokens
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])
check_tokens(snakemake.input, snakemake.params.plan, snakemake.output[0])
