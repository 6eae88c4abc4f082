"""Fit the two-domain laws of figure 2."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.paper.two_domains import fit_two_domains
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

fit_two_domains(
    Path(snakemake.input[0]).parent,
    snakemake.params.settings,
    laws=snakemake.output.laws,
    points=snakemake.output.points,
)
