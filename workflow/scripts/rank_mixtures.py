"""Rank the mixtures at every size and step."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.tables import write_table
from mixlaws.paper.ranks import mixture_ranks, rank_stability
from mixlaws.provenance import log_to
from mixlaws.losses.studies import load_study

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

study = load_study(Path(snakemake.input[0]).parent)
ranks = mixture_ranks(study, snakemake.params.settings)
write_table(ranks, snakemake.output.ranks)
write_table(rank_stability(ranks, snakemake.params.settings), snakemake.output.stability)
