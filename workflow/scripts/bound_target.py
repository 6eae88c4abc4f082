"""Predict the target with intervals, and find its optimum, with the joint laws."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.paper.target import bound_target
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

bound_target(
    Path(snakemake.input[0]).parent,
    snakemake.params.settings,
    choice=snakemake.input.choice,
    uncertainty=snakemake.params.uncertainty,
    processes=snakemake.threads,
    output=snakemake.output[0],
)
