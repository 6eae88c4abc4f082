"""Compare the observed losses of the target with the predicted ones."""

from typing import TYPE_CHECKING

from mixlaws.decision.confirmation import compare_confirmation
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])
compare_confirmation(dict(snakemake.input), snakemake.output[0], snakemake.params.weights)
