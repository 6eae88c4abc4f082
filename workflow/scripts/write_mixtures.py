"""Write the proportions of every mixture; those of the natural mixture come from the text."""

from typing import TYPE_CHECKING

from mixlaws.config.counted import planned_mixtures
from mixlaws.losses.tables import mixture_table
from mixlaws.provenance import log_to
from mixlaws.tables import write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])
mixtures = planned_mixtures(snakemake.input.manifests, snakemake.params.plan)
write_table(mixture_table(mixtures), snakemake.output[0])
