"""Score the functional forms of table 1 on mixtures they were not fitted to."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.tables import write_table
from mixlaws.paper.forms import compare_forms
from mixlaws.provenance import log_to
from mixlaws.losses.studies import load_study

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

study = load_study(Path(snakemake.input[0]).parent)
write_table(
    compare_forms(study, snakemake.params.settings, snakemake.params.seed), snakemake.output[0]
)
