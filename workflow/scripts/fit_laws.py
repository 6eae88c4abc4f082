"""Fit the laws to all fitted mixtures and write their parameters."""

from typing import TYPE_CHECKING

from mixlaws.losses.experiment import open_experiment
from mixlaws.scoring.law_tables import fit_for_tables, joint_table, mixing_table, size_table, step_table
from mixlaws.tables import write_table
from mixlaws.provenance import log_to
from mixlaws.scoring.record import read_choice

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
choice, _ = read_choice(snakemake.input.choice)
fitted = experiment.fitted
fit = fit_for_tables(fitted, experiment.target, choice)
names = fitted.validation_domains
write_table(step_table(fit, names), snakemake.output.step)
write_table(size_table(fit, names, experiment.target.tokens), snakemake.output.size)
write_table(mixing_table(fit, fitted), snakemake.output.mixing)
write_table(joint_table(fitted, choice), snakemake.output.joint)
