"""Choose the laws by folds, and score every candidate on losses that it was not fitted to."""

from typing import TYPE_CHECKING

from mixlaws.provenance import log_to
from mixlaws.scoring.record import score_laws

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])
score_laws(dict(snakemake.input), dict(snakemake.output), dict(snakemake.params))
