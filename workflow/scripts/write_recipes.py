"""Write the optimum and every named mixture in the formats that trainers read."""

from typing import TYPE_CHECKING

from mixlaws.provenance import log_to
from mixlaws.recipes.write import write_recipes

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

write_recipes(
    mixture=snakemake.input.mixture,
    optimum=snakemake.input.optimum,
    folder=snakemake.output[0],
    tokens_per_document=snakemake.params.tokens_per_document,
    accounting=snakemake.input.get("accounting"),
)
