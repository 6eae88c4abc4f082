"""Read one study from its logs, apply corrections, and write it as tables."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.paper.studies import read_study
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

read_study(
    snakemake.params.published,
    snakemake.wildcards.study,
    cache=snakemake.params.cache,
    folder=Path(snakemake.output[0]).parent,
)
