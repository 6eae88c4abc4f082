"""Train one run and record its validation losses."""

from typing import TYPE_CHECKING

from mixlaws.provenance import log_to
from mixlaws.training.stage import train_run

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])
train_run(
    dict(snakemake.input),
    dict(snakemake.output),
    dict(snakemake.wildcards) | dict(snakemake.params),
)
