"""Predict the target's losses by the joint laws, which have not seen its size."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.tables import write_table
from mixlaws.paper.joint_target import joint_predictions, read_choice
from mixlaws.provenance import log_to
from mixlaws.losses.studies import load_study

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

study = load_study(Path(snakemake.input[0]).parent)
predictions = joint_predictions(
    study,
    snakemake.params.groups,
    snakemake.params.settings,
    read_choice(snakemake.input.choice),
)
write_table(predictions, snakemake.output[0])
