"""The paper from its published losses: logs -> studies -> each figure's tables -> verdicts, page."""

from mixlaws.config.complete import complete_config

config.update(complete_config(config))

PUBLISHED = config["published"]
STUDIES = list(PUBLISHED["studies"])
FIGURES = PUBLISHED["figures"]
GROUPS = PUBLISHED["validation_groups"]
LOGS = {name: PUBLISHED[name] for name in ("url", "folder", "files")}
SHAPES = {
    name: PUBLISHED[name] for name in ("vocabulary_size", "sequence_length", "sizes")
}
# What `mixlaws.studies.save_study` writes.
STUDY_TABLES = [
    "losses.parquet",
    "mixtures.csv",
    "sizes.csv",
    "dropped.csv",
    "study.json",
]
# Studies with runs of several sizes, steps and mixtures: the joint laws apply.
JOINT_STUDIES = ["redpajama", "5mix"]
# What the verdicts rest on: everything that follows the paper's procedure.
PROCEDURE = {
    "2mix": ["two_domain_laws.csv", "two_domain_points.csv"],
    "3mix": ["forms.csv"],
    "5mix": ["interactions.csv", "aggregation.csv", "ranks.csv", "rank_stability.csv"],
    "redpajama": [
        *["step_law.csv", "size_law.csv", "extrapolated.csv", "target_predictions.csv"],
        *[
            "candidates.csv",
            "optima.csv",
            "sharing_sensitivity.csv",
            "fitting_points.csv",
        ],
        *["steps_to_match.csv", "target_curves.csv", "ranks.csv", "rank_stability.csv"],
    ],
    "continual": [
        "critical_proportions.csv",
        "curves.csv",
        "share_laws.csv",
        "errors.json",
    ],
}
BESIDE = [
    *expand("results/{{experiment}}/{study}/forward_folds.csv", study=JOINT_STUDIES),
    "results/{experiment}/redpajama/joint_predictions.csv",
    "results/{experiment}/redpajama/optimum.json",
]


wildcard_constraints:
    experiment=config["experiment"],
    study="|".join(STUDIES),


def study_files(study):
    """The tables of one study."""
    return expand("results/{{experiment}}/" + study + "/{table}", table=STUDY_TABLES)


def logs_of(wildcards):
    """What one study is read from: a change of another study reads nothing again."""
    return (
        LOGS
        | SHAPES
        | {"studies": {wildcards.study: PUBLISHED["studies"][wildcards.study]}}
    )


def procedure_files():
    """Every table that follows the paper's procedure."""
    return [
        f"results/{{experiment}}/{study}/{name}"
        for study, names in PROCEDURE.items()
        for name in names
    ]


def published_results(wildcards):
    """Where the page's parts are read from."""
    return f"results/{wildcards.experiment}"


rule download_logs:
    output:
        "results/{experiment}/published/verified.json",
    log:
        "results/{experiment}/logs/download_logs.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        published=LOGS,
        # Not an output: what was downloaded outlives a failed job.
        cache="results/{experiment}/published/download",
    script:
        "../scripts/download_logs.py"


rule read_study:
    input:
        "results/{experiment}/published/verified.json",
    output:
        expand("results/{{experiment}}/{{study}}/{table}", table=STUDY_TABLES),
    log:
        "results/{experiment}/logs/read_study/{study}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        published=logs_of,
        cache="results/{experiment}/published/download",
        source=source_of("read_study"),
    script:
        "../scripts/read_study.py"


rule fit_two_domains:
    input:
        study_files("2mix"),
    output:
        laws="results/{experiment}/2mix/two_domain_laws.csv",
        points="results/{experiment}/2mix/two_domain_points.csv",
    log:
        "results/{experiment}/logs/fit_two_domains.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        settings=FIGURES["two_domains"],
        source=source_of("fit_two_domains"),
    script:
        "../scripts/fit_two_domains.py"


rule compare_forms:
    input:
        study_files("3mix"),
    output:
        "results/{experiment}/3mix/forms.csv",
    log:
        "results/{experiment}/logs/compare_forms.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        settings=FIGURES["forms"],
        seed=config["seed"],
        source=source_of("compare_forms"),
    script:
        "../scripts/compare_forms.py"


rule fit_five_domains:
    input:
        study_files("5mix"),
    output:
        interactions="results/{experiment}/5mix/interactions.csv",
        aggregation="results/{experiment}/5mix/aggregation.csv",
    log:
        "results/{experiment}/logs/fit_five_domains.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        groups=GROUPS,
        settings=FIGURES["five_domains"],
        seed=config["seed"],
        source=source_of("fit_five_domains"),
    script:
        "../scripts/fit_five_domains.py"


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
    # The longest job of the procedure: it starts first.
    priority: 10
    conda:
        "../../envs/analysis.yaml"
    params:
        groups=GROUPS,
        settings=FIGURES["extrapolation"],
        source=source_of("extrapolate_losses"),
    script:
        "../scripts/extrapolate_losses.py"


rule match_steps:
    input:
        study_files("redpajama"),
    output:
        ratios="results/{experiment}/redpajama/steps_to_match.csv",
        curves="results/{experiment}/redpajama/target_curves.csv",
    log:
        "results/{experiment}/logs/match_steps.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        settings=FIGURES["matching"],
        seed=config["seed"],
        level=config["uncertainty"]["level"],
        source=source_of("match_steps"),
    script:
        "../scripts/match_steps.py"


rule rank_mixtures:
    input:
        expand("results/{{experiment}}/{{study}}/{table}", table=STUDY_TABLES),
    output:
        ranks="results/{experiment}/{study}/ranks.csv",
        stability="results/{experiment}/{study}/rank_stability.csv",
    log:
        "results/{experiment}/logs/rank_mixtures/{study}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        settings=FIGURES["ranks"],
        source=source_of("rank_mixtures"),
    script:
        "../scripts/rank_mixtures.py"


rule score_pipelines:
    input:
        expand("results/{{experiment}}/{{study}}/{table}", table=STUDY_TABLES),
    output:
        folds="results/{experiment}/{study}/forward_folds.csv",
        choice="results/{experiment}/{study}/joint_choice.json",
    log:
        "results/{experiment}/logs/score_pipelines/{study}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        settings=FIGURES["extrapolation"],
        source=source_of("score_pipelines"),
    script:
        "../scripts/score_pipelines.py"


rule predict_target:
    input:
        study_files("redpajama"),
        choice="results/{experiment}/redpajama/joint_choice.json",
    output:
        "results/{experiment}/redpajama/joint_predictions.csv",
    log:
        "results/{experiment}/logs/predict_target.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        groups=GROUPS,
        settings=FIGURES["extrapolation"],
        source=source_of("predict_target"),
    script:
        "../scripts/predict_target.py"


rule bound_target:
    input:
        study_files("redpajama"),
        choice="results/{experiment}/redpajama/joint_choice.json",
    output:
        "results/{experiment}/redpajama/optimum.json",
    log:
        "results/{experiment}/logs/bound_target.log",
    benchmark:
        "results/{experiment}/benchmarks/bound_target.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 2
    params:
        settings=FIGURES["extrapolation"],
        uncertainty=config["uncertainty"],
        source=source_of("bound_target"),
    script:
        "../scripts/bound_target.py"


rule write_verdicts:
    input:
        procedure_files(),
    output:
        "results/{experiment}/paper_verdicts.csv",
    log:
        "results/{experiment}/logs/write_verdicts.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        results=published_results,
        published=PUBLISHED,
        source=source_of("write_verdicts"),
    script:
        "../scripts/write_verdicts.py"


rule draw_published:
    input:
        procedure_files(),
        BESIDE,
    output:
        directory("results/{experiment}/figures"),
    log:
        "results/{experiment}/logs/draw_published.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        results=published_results,
        config=config,
        source=source_of("draw_published"),
    script:
        "../scripts/draw_published.py"


rule write_published_report:
    input:
        procedure_files(),
        BESIDE,
        verdicts="results/{experiment}/paper_verdicts.csv",
        figures="results/{experiment}/figures",
    output:
        report(
            "results/{experiment}/report.html",
            category="Report",
            labels={"experiment": "{experiment}"},
        ),
    log:
        "results/{experiment}/logs/write_published_report.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        results=published_results,
        config=config,
        source=source_of("write_published_report"),
    script:
        "../scripts/write_published_report.py"


# The paper's procedure alone, without intervals, figures and page: snakemake verdicts ...
rule verdicts:
    input:
        f"results/{config['experiment']}/paper_verdicts.csv",
    localrule: True
