"""Compare the target's trained losses with what was predicted for them."""

from typing import TYPE_CHECKING

from mixlaws.decision.confirmation import check_same_text, compare_confirmation
from mixlaws.losses.tables import read_losses
from mixlaws.provenance import log_to
from mixlaws.files import read_json, write_json

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

check_same_text(snakemake.input.runs, snakemake.input.confirmation_runs)
comparison = compare_confirmation(
    read_losses(snakemake.input.losses),
    read_json(snakemake.input.optimum),
    snakemake.params.weights,
)
write_json(comparison, snakemake.output[0])
