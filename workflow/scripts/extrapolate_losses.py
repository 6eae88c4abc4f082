"""Run algorithm 1: step laws, size laws, mixing laws, the search; and what they rest on."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.paper.extrapolation import write_extrapolation
from mixlaws.provenance import log_to
from mixlaws.losses.studies import load_study

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

write_extrapolation(
    load_study(Path(snakemake.input[0]).parent),
    snakemake.params.groups,
    snakemake.params.settings,
    dict(snakemake.output.items()),
)
