"""Find the best mixture at the target, with intervals, beside its baselines."""

from typing import TYPE_CHECKING

from mixlaws.decision import (
    decide_mixture,
    decision_limits,
    decision_objective,
    gather_evidence,
)
from mixlaws.experiment import open_experiment, supply
from mixlaws.losses import write_table
from mixlaws.runtime import log_to, write_json
from mixlaws.scores import read_choice
from mixlaws.surface import interaction_table, surface_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

params = snakemake.params
experiment = open_experiment(
    snakemake.input.losses,
    snakemake.input.runs,
    snakemake.input.mixtures,
    target=params.target,
    weights=params.weights,
)
choice, errors = read_choice(snakemake.input.choice)
evidence = gather_evidence(
    experiment.fitted,
    choice,
    target=experiment.target,
    columns=experiment.columns,
    errors=errors,
    sampling={**params.uncertainty, "seed": params.seed, "processes": snakemake.threads},
)
limits = decision_limits(
    experiment.fitted.domains,
    params.optimum,
    supply(params.available_tokens, snakemake.input.accounting, params.measured_factor),
    experiment.target.tokens,
)
objective = decision_objective(experiment.columns, params.optimum, experiment.baselines)
decision = decide_mixture(evidence, limits, objective, experiment.baselines)
decision |= experiment.record() | {
    "pipeline": choice.pipeline,
    "mixing": choice.mixing,
    **params.uncertainty,
}
write_json(decision, snakemake.output.optimum)
write_table(surface_table(evidence, decision["proportions"]), snakemake.output.surface)
write_table(interaction_table(evidence), snakemake.output.interaction)
