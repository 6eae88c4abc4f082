"""Fit the laws to all mixtures that are not held out, and write them with their parameters."""

from typing import TYPE_CHECKING

from mixlaws.provenance import log_to
from mixlaws.scoring.fitting import fit_laws

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])
fit_laws(dict(snakemake.input), dict(snakemake.output), dict(snakemake.params))
