"""Rank the mixtures at every size and step."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.paper.ranks import rank_mixtures
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

rank_mixtures(
    Path(snakemake.input[0]).parent,
    snakemake.params.settings,
    ranks=snakemake.output.ranks,
    stability=snakemake.output.stability,
)
