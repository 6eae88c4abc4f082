"""Fit the joint laws without the target's size, predict the target, and find the optimum."""


rule score_pipelines:
    input:
        expand("results/{{experiment}}/{{study}}/{table}", table=STUDY_TABLES),
    output:
        folds="results/{experiment}/{study}/forward_folds.csv",
        choice="results/{experiment}/{study}/joint_choice.json",
    log:
        "results/{experiment}/logs/score_pipelines/{study}.log",
    localrule: True
    conda:
        "../../../envs/analysis.yaml"
    params:
        settings=FIGURES["extrapolation"],
        source=source_of("score_pipelines"),
    script:
        "../../scripts/score_pipelines.py"


rule predict_target:
    input:
        study_files("redpajama"),
        choice="results/{experiment}/redpajama/joint_choice.json",
    output:
        "results/{experiment}/redpajama/joint_predictions.csv",
    log:
        "results/{experiment}/logs/predict_target.log",
    localrule: True
    conda:
        "../../../envs/analysis.yaml"
    params:
        groups=GROUPS,
        settings=FIGURES["extrapolation"],
        source=source_of("predict_target"),
    script:
        "../../scripts/predict_target.py"


rule bound_target:
    input:
        study_files("redpajama"),
        choice="results/{experiment}/redpajama/joint_choice.json",
    output:
        "results/{experiment}/redpajama/optimum.json",
    log:
        "results/{experiment}/logs/bound_target.log",
    localrule: True
    conda:
        "../../../envs/analysis.yaml"
    threads: 2
    params:
        settings=FIGURES["extrapolation"],
        uncertainty=config["uncertainty"],
        source=source_of("bound_target"),
    script:
        "../../scripts/bound_target.py"


rule divide_published:
    input:
        study_files("redpajama"),
        choice="results/{experiment}/redpajama/joint_choice.json",
    output:
        budget="results/{experiment}/redpajama/budget.json",
        isoflop="results/{experiment}/redpajama/isoflop.csv",
    log:
        "results/{experiment}/logs/divide_published.log",
    localrule: True
    conda:
        "../../../envs/analysis.yaml"
    params:
        results=published_results,
        config={
            "compute_budget": config.get("compute_budget"),
            "uncertainty": config["uncertainty"],
            "seed": config["seed"],
            "published": {"figures": {"extrapolation": FIGURES["extrapolation"]}},
        },
        source=source_of("divide_published"),
    script:
        "../../scripts/divide_published.py"
