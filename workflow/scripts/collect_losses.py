"""Join the losses and records of all runs into two tables."""

from typing import TYPE_CHECKING

from mixlaws.losses.collect import collect_losses, collect_runs, verify_losses
from mixlaws.tables import write_table
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

verify_losses(snakemake.input.losses, snakemake.input.records)
write_table(collect_losses(snakemake.input.losses), snakemake.output.losses)
runs = collect_runs(snakemake.input.records, snakemake.input.timings, snakemake.params.domains)
write_table(runs, snakemake.output.runs)
