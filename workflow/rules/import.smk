"""Import losses that somebody has; laws.smk, decision.smk and report.smk go on from there."""

from mixlaws.config.losses import LATTICE, stage_settings
from mixlaws.errors import ending_with_one_message
from mixlaws.losses.run_files import source_files

EXPERIMENT = config["experiment"]
STAGES = stage_settings(config)
TARGET = STAGES["score"]["target"]
AVAILABLE_TOKENS = config["available_tokens"]
MEASURED_FACTOR = STAGES["decide"]["measured_factor"]
# No text was counted, and no run was planned.
ACCOUNTING, PLANNED = [], None


wildcard_constraints:
    experiment=EXPERIMENT,


@ending_with_one_message()
def imported_files(wildcards):
    """Return the files with losses and mixtures."""
    return source_files(config["losses"]["files"])


def results_folder(wildcards):
    """Return the folder from which the report is made."""
    return f"results/{wildcards.experiment}"


def report_inputs(wildcards):
    """Return the inputs of the figures and the page."""
    names = [
        "mixtures.csv",
        "runs.csv",
        "losses.parquet",
        "import.json",
        "optimum.json",
    ]
    names += [f"laws/{name}_law.csv" for name in ("step", "size", "mixing")]
    names += ["laws/scores.csv", "laws/predictions.csv", "laws/choice.json"]
    names += ["laws/surface.csv", "laws/interaction.csv"]
    if "compute_budget" in config:
        names += ["budget.json", "laws/isoflop.csv"]
    return [f"results/{wildcards.experiment}/{name}" for name in names]


rule import_losses:
    input:
        imported_files,
    output:
        losses="results/{experiment}/losses.parquet",
        runs="results/{experiment}/runs.csv",
        mixtures="results/{experiment}/mixtures.csv",
        dropped="results/{experiment}/dropped.csv",
        imported="results/{experiment}/import.json",
    log:
        "results/{experiment}/logs/import_losses.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        **STAGES["import"],
        source=source_of("import_losses"),
    script:
        "../scripts/import_losses.py"
