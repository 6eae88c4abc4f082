"""Fit the two-domain laws of figure 2."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.tables import write_table
from mixlaws.paper.two_domains import two_domain_laws
from mixlaws.provenance import log_to
from mixlaws.losses.studies import load_study

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

study = load_study(Path(snakemake.input[0]).parent)
laws, points = two_domain_laws(study, snakemake.params.settings)
write_table(laws, snakemake.output.laws)
write_table(points, snakemake.output.points)
