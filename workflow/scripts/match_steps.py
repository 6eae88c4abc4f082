"""Find how many steps of one mixture match the last loss of the other."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.tables import write_table
from mixlaws.paper.matching import curve_table, steps_to_match
from mixlaws.provenance import log_to
from mixlaws.losses.studies import load_study

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

study = load_study(Path(snakemake.input[0]).parent)
settings = snakemake.params.settings
ratios = steps_to_match(study, settings, snakemake.params.seed, snakemake.params.level)
write_table(ratios, snakemake.output.ratios)
write_table(curve_table(study, settings), snakemake.output.curves)
