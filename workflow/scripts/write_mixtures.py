"""Write every mixture's proportions, the natural one's from the text itself."""

from typing import TYPE_CHECKING

from mixlaws.data import resolve_proportions
from mixlaws.losses import mixture_table, write_table
from mixlaws.mixtures import Mixture
from mixlaws.plan import check_supply
from mixlaws.runtime import log_to
from mixlaws.tokens import read_manifest

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

shares = resolve_proportions("natural", snakemake.input.manifests, snakemake.params.lattice)
mixtures = [*snakemake.params.mixtures.values(), Mixture("natural", "baseline", shares)]
check_supply(
    {mixture.id: mixture.proportions for mixture in mixtures},
    {m.domain: m.num_tokens for m in map(read_manifest, snakemake.input.manifests)},
    tokens=snakemake.params.tokens,
    max_epochs=snakemake.params.max_epochs,
)
write_table(mixture_table(mixtures), snakemake.output[0])
