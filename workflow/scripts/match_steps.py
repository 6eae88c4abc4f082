"""Find the number of steps that one mixture needs to reach the last loss of the other."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.paper.matching import match_steps
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

match_steps(
    Path(snakemake.input[0]).parent,
    snakemake.params.settings,
    draws=(snakemake.params.seed, snakemake.params.level),
    ratios=snakemake.output.ratios,
    curves=snakemake.output.curves,
)
