"""Round the optimum to the lattice; a confirmation trains on the result."""

from typing import TYPE_CHECKING

from mixlaws.decision.rounding import round_optimum
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])
round_optimum(snakemake.input[0], snakemake.output[0], lattice=snakemake.params.lattice)
