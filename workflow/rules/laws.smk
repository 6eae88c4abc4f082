"""Choose the laws by folds, score them on held-out mixtures, and fit them to all other mixtures."""


rule score_laws:
    input:
        losses="results/{experiment}/losses.parquet",
        runs="results/{experiment}/runs.csv",
        mixtures="results/{experiment}/mixtures.csv",
    output:
        scores="results/{experiment}/laws/scores.csv",
        predictions="results/{experiment}/laws/predictions.csv",
        choice="results/{experiment}/laws/choice.json",
    log:
        "results/{experiment}/logs/score_laws.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        laws=config["laws"],
        target=TARGET,
        planned=PLANNED,
        weights=config["validation"]["weights"],
        source=source_of("score_laws"),
    script:
        "../scripts/score_laws.py"


rule fit_laws:
    input:
        losses="results/{experiment}/losses.parquet",
        runs="results/{experiment}/runs.csv",
        mixtures="results/{experiment}/mixtures.csv",
        choice="results/{experiment}/laws/choice.json",
    output:
        law="results/{experiment}/laws/law.json",
        targets="results/{experiment}/laws/targets.json",
        step="results/{experiment}/laws/step_law.csv",
        size="results/{experiment}/laws/size_law.csv",
        mixing="results/{experiment}/laws/mixing_law.csv",
        joint="results/{experiment}/laws/joint_law.csv",
        line="results/{experiment}/laws/line_law.csv",
        slope="results/{experiment}/laws/slope_tests.csv",
    log:
        "results/{experiment}/logs/fit_laws.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        target=TARGET,
        planned=PLANNED,
        weights=config["validation"]["weights"],
        level=config["uncertainty"]["level"],
        source=source_of("fit_laws"),
    script:
        "../scripts/fit_laws.py"
