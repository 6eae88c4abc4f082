"""Write the proportions of every mixture; those of the natural mixture come from the text."""

from typing import TYPE_CHECKING

from mixlaws.training.corpus import resolve_proportions
from mixlaws.losses.tables import mixture_table
from mixlaws.tables import write_table
from mixlaws.mixtures.lattice import Mixture
from mixlaws.runs.supply import check_supply
from mixlaws.provenance import log_to
from mixlaws.text.tokens import read_manifest

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

shares = resolve_proportions("natural", snakemake.input.manifests)
chosen = [Mixture(**mixture) for mixture in snakemake.params.mixtures]
mixtures = [*chosen, Mixture("natural", "baseline", shares)]
proportions = {mixture.id: mixture.proportions for mixture in mixtures}
available = {m.domain: m.num_tokens for m in map(read_manifest, snakemake.input.manifests)}
allowed = snakemake.params.max_epochs
check_supply(proportions, available, tokens=snakemake.params.tokens, max_epochs=allowed)
confirmed = {name: proportions[name] for name in snakemake.params.confirmed}
check_supply(confirmed, available, tokens=snakemake.params.target_tokens, max_epochs=allowed)
write_table(mixture_table(mixtures), snakemake.output[0])
