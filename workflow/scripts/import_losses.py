"""Read losses that somebody has, check them, and write them as a swarm."""

from typing import TYPE_CHECKING

from mixlaws.losses.stage import import_losses
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])
import_losses(dict(snakemake.output), dict(snakemake.params))
