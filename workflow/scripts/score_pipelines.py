"""Choose the joint laws by folds; score them and the nested pipeline on forward folds."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.paper.target import score_pipelines
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

score_pipelines(
    Path(snakemake.input[0]).parent,
    snakemake.params.settings,
    folds=snakemake.output.folds,
    choice=snakemake.output.choice,
)
