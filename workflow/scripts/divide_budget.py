"""Find the best size, tokens and mixture for a number of FLOPs."""

from typing import TYPE_CHECKING

from mixlaws.decision.compute_budget import divide_budget
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])
divide_budget(dict(snakemake.input), dict(snakemake.output), dict(snakemake.params))
