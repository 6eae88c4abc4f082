"""Score the functional forms of table 1 on mixtures that they were not fitted to."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.paper.forms import compare_forms
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

compare_forms(
    Path(snakemake.input[0]).parent,
    snakemake.params.settings,
    snakemake.params.seed,
    snakemake.output[0],
)
