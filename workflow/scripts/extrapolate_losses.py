"""Run algorithm 1: step laws, size laws, mixing laws, the search; and what they rest on."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.losses import write_table
from mixlaws.paper import extrapolation
from mixlaws.runtime import log_to
from mixlaws.studies import load_study

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

study = load_study(Path(snakemake.input[0]).parent)
found = extrapolation.extrapolate(study, snakemake.params.groups, snakemake.params.settings)
candidates = extrapolation.candidates(found)
tables = extrapolation.law_tables(found) | {
    "extrapolated": extrapolation.extrapolated_losses(found),
    "target_predictions": extrapolation.target_predictions(found),
    "candidates": candidates,
    "optima": extrapolation.optima(found, candidates),
    "sharing_sensitivity": extrapolation.sharing_sensitivity(found),
    "fitting_points": extrapolation.fitting_points(found),
}
for name, table in tables.items():
    write_table(table, snakemake.output[name])
