"""Train one run and record its validation losses."""

from typing import TYPE_CHECKING

from mixlaws.training.corpus import read_corpus, resolve_proportions
from mixlaws.training.deadline import end_before_limit
from mixlaws.losses.tables import loss_rows
from mixlaws.tables import write_table
from mixlaws.runs.run import make_run
from mixlaws.training.execution import Execution, start_processes
from mixlaws.files import file_sha256, write_json
from mixlaws.provenance import log_to
from mixlaws.training.train import trained

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

options = snakemake.params.execution
start_processes(Execution(**options))
end_before_limit()
params = dict(snakemake.params.items())
corpus = read_corpus(snakemake.input.train_manifests, snakemake.input.validation_manifests)
run = make_run(
    params,
    mixture=snakemake.wildcards.mixture,
    seed=int(snakemake.wildcards.seed),
    proportions=resolve_proportions(params["proportions"], snakemake.input.train_manifests),
)
with trained(run, corpus, checkpoints=params["checkpoints"], **options) as result:
    write_table(loss_rows(result.losses), snakemake.output.losses)
    digest = {"losses_sha256": file_sha256(snakemake.output.losses)}
    write_json(result.record | digest, snakemake.output.record)
    write_json(result.timing, snakemake.output.timing)
