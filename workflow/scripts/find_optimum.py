"""Find the best mixture at the target, with intervals, beside its baselines."""

from typing import TYPE_CHECKING

from mixlaws.decision.decide import decide_mixture, gather_evidence
from mixlaws.losses.experiment import open_experiment, supply
from mixlaws.tables import write_table
from mixlaws.provenance import log_to
from mixlaws.files import write_json
from mixlaws.scoring.record import read_choice
from mixlaws.decision.surface import interaction_table, surface_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

tables, params = snakemake.input, snakemake.params
experiment = open_experiment(
    tables.losses, tables.runs, tables.mixtures, target=params.target, weights=params.weights
)
choice, errors = read_choice(tables.choice)
sampling = {**params.uncertainty, "seed": params.seed, "processes": snakemake.threads}
evidence = gather_evidence(
    experiment.fitted,
    choice,
    target=experiment.target,
    columns=experiment.columns,
    errors=errors,
    sampling=sampling,
)
options = {"target_tokens": experiment.target.tokens, "baselines": experiment.baselines}
options["available_tokens"] = supply(
    params.available_tokens, tables.accounting, params.measured_factor
)
decision = decide_mixture(evidence, params.optimum, **options)
law = {"pipeline": choice.pipeline, "mixing": choice.mixing, **params.uncertainty}
write_json(decision | law | experiment.record(), snakemake.output.optimum)
write_table(surface_table(evidence, decision["proportions"]), snakemake.output.surface)
write_table(interaction_table(evidence), snakemake.output.interaction)
