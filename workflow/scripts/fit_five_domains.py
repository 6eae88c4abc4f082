"""Fit the interactions of five domains; compare explicit and implicit aggregation."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.tables import write_table
from mixlaws.paper.five_domains import compare_aggregations, interaction_matrix
from mixlaws.provenance import log_to
from mixlaws.losses.studies import load_study

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

study = load_study(Path(snakemake.input[0]).parent)
options = (snakemake.params.groups, snakemake.params.settings, snakemake.params.seed)
write_table(interaction_matrix(study, *options), snakemake.output.interactions)
write_table(compare_aggregations(study, *options), snakemake.output.aggregation)
