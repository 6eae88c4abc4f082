"""Collect the losses and records of the runs into tables."""


rule collect_losses:
    input:
        losses=run_files("losses.csv"),
        records=run_files("run.json"),
        timings=run_files("timing.json"),
    output:
        **initial_losses(),
        losses="results/{experiment}/losses.parquet",
        runs="results/{experiment}/runs.csv",
    log:
        "results/{experiment}/logs/collect_losses.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        planned=PLANNED["runs"],
        source=source_of("collect_losses"),
    script:
        "../scripts/collect_losses.py"


use rule collect_losses as collect_confirmation with:
    input:
        losses=confirmation_files("losses.csv"),
        records=confirmation_files("run.json"),
        timings=confirmation_files("timing.json"),
    output:
        losses="results/{experiment}/confirmation.parquet",
        runs="results/{experiment}/confirmation_runs.csv",
    log:
        "results/{experiment}/logs/collect_confirmation.log",
    params:
        planned=[list(run.key) for run in SWEEP.confirmations],
        source=source_of("collect_losses"),
