"""Write the proportions of the runs at the critical proportion."""

from typing import TYPE_CHECKING

from mixlaws.decision.verification import round_share
from mixlaws.files import write_json
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])
proportions = round_share(
    snakemake.input[0], snakemake.params.continual, snakemake.params.domains
)
write_json(proportions, snakemake.output[0])
