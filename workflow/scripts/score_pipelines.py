"""Choose the joint laws by folds; score them and the nested pipeline on later folds."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.tables import write_table
from mixlaws.paper.joint_target import choose, forward_folds, save_choice
from mixlaws.provenance import log_to
from mixlaws.losses.studies import load_study

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

study = load_study(Path(snakemake.input[0]).parent)
choice = choose(study, snakemake.params.settings)
save_choice(choice, snakemake.output.choice)
write_table(forward_folds(study, snakemake.params.settings, choice), snakemake.output.folds)
