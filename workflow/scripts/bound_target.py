"""Bound the joint laws' predictions at the target and find their optimum."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.paper.joint_target import bound_target, read_choice
from mixlaws.provenance import log_to
from mixlaws.files import write_json
from mixlaws.losses.studies import load_study

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

study = load_study(Path(snakemake.input[0]).parent)
record = bound_target(
    study,
    snakemake.params.settings,
    read_choice(snakemake.input.choice),
    uncertainty=snakemake.params.uncertainty,
    processes=snakemake.threads,
)
write_json(record, snakemake.output[0])
