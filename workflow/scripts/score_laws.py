"""Choose the laws by folds and score every candidate on what it was not fitted to."""

from typing import TYPE_CHECKING

from mixlaws.losses.experiment import open_experiment
from mixlaws.tables import write_table
from mixlaws.provenance import log_to
from mixlaws.files import write_json
from mixlaws.scoring.record import choice_record, prediction_table, score_table
from mixlaws.scoring.choice import choose_laws

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

experiment = open_experiment(
    snakemake.input.losses,
    snakemake.input.runs,
    snakemake.input.mixtures,
    target=snakemake.params.target,
    weights=snakemake.params.weights,
)
scored = choose_laws(
    experiment.observations,
    experiment.held_out,
    target=experiment.target,
    columns=experiment.columns,
    options=snakemake.params.laws,
)
write_table(score_table(scored, experiment.columns), snakemake.output.scores)
write_table(prediction_table(scored, experiment), snakemake.output.predictions)
write_json(choice_record(scored, experiment), snakemake.output.choice)
