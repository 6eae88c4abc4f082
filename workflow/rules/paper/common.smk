"""Shared by the rules of the reproduction: the checked config, the studies and their tables."""

PUBLISHED = config["published"]
STUDIES = list(PUBLISHED["studies"])
FIGURES = PUBLISHED["figures"]
GROUPS = PUBLISHED["validation_groups"]
LOGS = {name: PUBLISHED[name] for name in ("url", "folder", "files")}
SHAPES = {
    name: PUBLISHED[name] for name in ("vocabulary_size", "sequence_length", "sizes")
}
# The files that `mixlaws.losses.swarm.Swarm.save` writes.
STUDY_TABLES = [
    "losses.parquet",
    "runs.csv",
    "mixtures.csv",
    "dropped.csv",
    "study.json",
]
# Studies with runs of several sizes, steps and mixtures, to which joint laws can be fitted.
JOINT_STUDIES = ["redpajama", "5mix"]
# The tables that follow the paper's procedure, from which the verdicts are made.
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
if "compute_budget" in config:
    BESIDE += [
        "results/{experiment}/redpajama/budget.json",
        "results/{experiment}/redpajama/isoflop.csv",
    ]


wildcard_constraints:
    experiment=config["experiment"],
    study="|".join(STUDIES),


def study_files(study):
    """Return the tables of one study."""
    return expand("results/{{experiment}}/" + study + "/{table}", table=STUDY_TABLES)


def logs_of(wildcards):
    """Return the settings of one study alone, so that a change of another does not read it again."""
    return (
        LOGS
        | SHAPES
        | {"studies": {wildcards.study: PUBLISHED["studies"][wildcards.study]}}
    )


def procedure_files():
    """Return all tables that follow the paper's procedure."""
    return [
        f"results/{{experiment}}/{study}/{name}"
        for study, names in PROCEDURE.items()
        for name in names
    ]


def published_results(wildcards):
    """Return the folder from which the page is made."""
    return f"results/{wildcards.experiment}"
