"""Find the best mixture at the target with intervals, and compare it with baselines."""

from typing import TYPE_CHECKING

from mixlaws.decision.outcome import find_optimum
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])
find_optimum(
    dict(snakemake.input),
    dict(snakemake.output),
    dict(snakemake.params),
    processes=snakemake.threads,
)
