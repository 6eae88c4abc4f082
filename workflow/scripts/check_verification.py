"""Compare the runs at the critical proportion with the base."""

from typing import TYPE_CHECKING

from mixlaws.decision.verification import check_verification
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])
check_verification(
    {"record": snakemake.input.record, "losses": list(snakemake.input.losses)},
    snakemake.params.continual,
    snakemake.params.domains,
    snakemake.output[0],
)
