"""Repeat the paper's procedure, and write the tables of each of its figures."""


rule fit_two_domains:
    input:
        study_files("2mix"),
    output:
        laws="results/{experiment}/2mix/two_domain_laws.csv",
        points="results/{experiment}/2mix/two_domain_points.csv",
    log:
        "results/{experiment}/logs/fit_two_domains.log",
    localrule: True
    conda:
        "../../../envs/analysis.yaml"
    params:
        settings=FIGURES["two_domains"],
        source=source_of("fit_two_domains"),
    script:
        "../../scripts/fit_two_domains.py"


rule compare_forms:
    input:
        study_files("3mix"),
    output:
        "results/{experiment}/3mix/forms.csv",
    log:
        "results/{experiment}/logs/compare_forms.log",
    localrule: True
    conda:
        "../../../envs/analysis.yaml"
    params:
        settings=FIGURES["forms"],
        seed=config["seed"],
        source=source_of("compare_forms"),
    script:
        "../../scripts/compare_forms.py"


rule fit_five_domains:
    input:
        study_files("5mix"),
    output:
        interactions="results/{experiment}/5mix/interactions.csv",
        aggregation="results/{experiment}/5mix/aggregation.csv",
    log:
        "results/{experiment}/logs/fit_five_domains.log",
    localrule: True
    conda:
        "../../../envs/analysis.yaml"
    params:
        groups=GROUPS,
        settings=FIGURES["five_domains"],
        seed=config["seed"],
        source=source_of("fit_five_domains"),
    script:
        "../../scripts/fit_five_domains.py"


rule extrapolate_losses:
    input:
        study_files("redpajama"),
    output:
        step_law="results/{experiment}/redpajama/step_law.csv",
        size_law="results/{experiment}/redpajama/size_law.csv",
        extrapolated="results/{experiment}/redpajama/extrapolated.csv",
        target_predictions="results/{experiment}/redpajama/target_predictions.csv",
        candidates="results/{experiment}/redpajama/candidates.csv",
        optima="results/{experiment}/redpajama/optima.csv",
        sharing_sensitivity="results/{experiment}/redpajama/sharing_sensitivity.csv",
        fitting_points="results/{experiment}/redpajama/fitting_points.csv",
    log:
        "results/{experiment}/logs/extrapolate_losses.log",
    # The longest job of the procedure starts first.
    priority: 10
    localrule: True
    conda:
        "../../../envs/analysis.yaml"
    params:
        groups=GROUPS,
        settings=FIGURES["extrapolation"],
        source=source_of("extrapolate_losses"),
    script:
        "../../scripts/extrapolate_losses.py"


rule match_steps:
    input:
        study_files("redpajama"),
    output:
        ratios="results/{experiment}/redpajama/steps_to_match.csv",
        curves="results/{experiment}/redpajama/target_curves.csv",
    log:
        "results/{experiment}/logs/match_steps.log",
    localrule: True
    conda:
        "../../../envs/analysis.yaml"
    params:
        settings=FIGURES["matching"],
        seed=config["seed"],
        level=config["uncertainty"]["level"],
        source=source_of("match_steps"),
    script:
        "../../scripts/match_steps.py"


rule rank_mixtures:
    input:
        expand("results/{{experiment}}/{{study}}/{table}", table=STUDY_TABLES),
    output:
        ranks="results/{experiment}/{study}/ranks.csv",
        stability="results/{experiment}/{study}/rank_stability.csv",
    log:
        "results/{experiment}/logs/rank_mixtures/{study}.log",
    localrule: True
    conda:
        "../../../envs/analysis.yaml"
    params:
        settings=FIGURES["ranks"],
        source=source_of("rank_mixtures"),
    script:
        "../../scripts/rank_mixtures.py"


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
    localrule: True
    conda:
        "../../../envs/analysis.yaml"
    params:
        settings=FIGURES["continual"],
        seed=config["seed"],
        level=config["uncertainty"]["level"],
        source=source_of("fit_continual"),
    script:
        "../../scripts/fit_continual.py"
