"""Write the proportions of every mixture; those of the natural mixture come from the text."""

from typing import TYPE_CHECKING

from mixlaws.training.corpus import resolve_proportions
from mixlaws.losses.tables import mixture_table
from mixlaws.tables import write_table
from mixlaws.mixtures.lattice import Mixture
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

shares = resolve_proportions("natural", snakemake.input.manifests)
chosen = [Mixture(**mixture) for mixture in snakemake.params.mixtures]
mixtures = [*chosen, Mixture("natural", "baseline", shares)]
write_table(mixture_table(mixtures), snakemake.output[0])
