"""Continual pre-training: the share of the original data that keeps its loss."""


rule fit_continual:
    input:
        study_files("continual"),
    output:
        critical="results/{experiment}/continual/critical_proportions.csv",
        curves="results/{experiment}/continual/curves.csv",
        laws="results/{experiment}/continual/share_laws.csv",
        record="results/{experiment}/continual/errors.json",
    log:
        "results/{experiment}/logs/fit_continual.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        settings=FIGURES["continual"],
        seed=config["seed"],
        level=config["uncertainty"]["level"],
        source=source_of("fit_continual"),
    script:
        "../scripts/fit_continual.py"
