"""Round the optimum to the lattice: what a confirmation trains on."""

from typing import TYPE_CHECKING

from mixlaws.decision.decide import round_decision
from mixlaws.provenance import log_to
from mixlaws.files import read_json, write_json

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

optimum = read_json(snakemake.input[0])
write_json(round_decision(optimum, lattice=snakemake.params.lattice), snakemake.output[0])
