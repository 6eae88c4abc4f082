"""Predict the target's losses with the joint laws, which are not fitted to its size."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.paper.target import predict_target
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

predict_target(
    Path(snakemake.input[0]).parent,
    snakemake.params.groups,
    snakemake.params.settings,
    choice=snakemake.input.choice,
    output=snakemake.output[0],
)
