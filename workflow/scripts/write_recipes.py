"""Write the mixture in the formats that trainers read."""

from typing import TYPE_CHECKING

from mixlaws.recipes import write_recipes
from mixlaws.provenance import log_to
from mixlaws.files import read_json

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

write_recipes(
    read_json(snakemake.input.mixture),
    read_json(snakemake.input.optimum)["target"],
    snakemake.output[0],
)
