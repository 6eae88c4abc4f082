"""Find the critical proportion of continual pre-training."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.tables import write_table
from mixlaws.paper import forgetting
from mixlaws.provenance import log_to
from mixlaws.files import write_json
from mixlaws.losses.studies import load_study

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

study = load_study(Path(snakemake.input[0]).parent)
settings = snakemake.params.settings
critical = forgetting.critical_proportions(
    study, settings, snakemake.params.seed, snakemake.params.level
)
write_table(critical, snakemake.output.critical)
write_table(forgetting.continual_curves(study, settings), snakemake.output.curves)
write_table(forgetting.share_laws(study, settings), snakemake.output.laws)
write_json(forgetting.continual_record(study, settings), snakemake.output.record)
