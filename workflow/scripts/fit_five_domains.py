"""Fit the interactions of five domains and compare explicit with implicit aggregation."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.paper.five_domains import fit_five_domains
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

fit_five_domains(
    Path(snakemake.input[0]).parent,
    snakemake.params.groups,
    snakemake.params.settings,
    snakemake.params.seed,
    interactions=snakemake.output.interactions,
    aggregation=snakemake.output.aggregation,
)
