"""Find the replay share that keeps the loss of the base, train there to check it, write the page."""

from mixlaws.runs.replay import VERIFICATION

ANSWER = "results/{experiment}/continual/critical.json"
LARGEST = max(TRAINING["sizes"], key=lambda size: num_params_of({"size": size}))
# Along a run with a constant rate each loss is that of a shorter run; a decay belongs to its end.
MEASURED_STEPS = "all" if TRAINING["schedule"] == "constant" else "last"


def verification_losses(wildcards):
    """Return the losses of the runs at the critical proportion; none if there is none."""
    share = checkpoints.round_share.get(experiment=wildcards.experiment).output[0]
    if not read_json(share)["proportions"]:
        return []
    return [str(run.files(RESULTS).losses) for run in SWEEP.verifications]


def found_share(wildcards):
    """Return no files, but make the verification wait for the critical proportion."""
    checkpoints.round_share.get(experiment=wildcards.experiment)
    return []


def critical_proportions(wildcards):
    """Return the proportions at the critical proportion, once it is found."""
    share = checkpoints.round_share.get(experiment=wildcards.experiment).output[0]
    return read_json(share)["proportions"]


def continual_inputs(wildcards):
    """Return the inputs of the figures and the page."""
    names = ["critical.csv", "curves.csv", "domains.csv", "scale.csv", "critical.json"]
    names += ["verification.json"] if SWEEP.verifications else []
    paths = [f"continual/{name}" for name in names]
    paths += ["accounting.csv", "contamination.csv", "mixtures.csv", "runs.csv"]
    return [f"results/{wildcards.experiment}/{path}" for path in paths]


rule find_shares:
    input:
        losses="results/{experiment}/losses.parquet",
        initial="results/{experiment}/initial.parquet",
        runs="results/{experiment}/runs.csv",
        mixtures="results/{experiment}/mixtures.csv",
    output:
        critical="results/{experiment}/continual/critical.csv",
        curves="results/{experiment}/continual/curves.csv",
        domains="results/{experiment}/continual/domains.csv",
        scale="results/{experiment}/continual/scale.csv",
        record=ANSWER,
    log:
        "results/{experiment}/logs/find_shares.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        continual=config["continual"],
        steps=MEASURED_STEPS,
        target=TARGET | {"num_params": num_params_of({"size": TARGET["size"]})},
        level=config["uncertainty"]["level"],
        replicates=config["uncertainty"]["replicates"],
        seed=config["seed"],
        source=source_of("find_shares"),
    script:
        "../scripts/find_shares.py"


# The proportions of the verification come from its output, which changes less often than the answer.
checkpoint round_share:
    input:
        ANSWER,
    output:
        "results/{experiment}/continual/share.json",
    log:
        "results/{experiment}/logs/round_share.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        continual=config["continual"],
        domains=DOMAINS,
        source=source_of("round_share"),
    script:
        "../scripts/round_share.py"


use rule train_proxy as train_verification with:
    input:
        **training_inputs(),
        **initial_inputs(),
        checked="results/{experiment}/tokens/checked.json",
        share=found_share,
    output:
        losses=f"results/{{experiment}}/runs/{{size}}/{VERIFICATION}/seed-{{seed}}/losses.csv",
        record=f"results/{{experiment}}/runs/{{size}}/{VERIFICATION}/seed-{{seed}}/run.json",
        timing=f"results/{{experiment}}/runs/{{size}}/{VERIFICATION}/seed-{{seed}}/timing.json",
    log:
        f"results/{{experiment}}/logs/train_proxy/{{size}}/{VERIFICATION}/seed-{{seed}}.log",
    params:
        checkpoints=f"results/{{experiment}}/checkpoints/{{size}}/{VERIFICATION}/seed-{{seed}}",
        size="{size}",
        mixture=VERIFICATION,
        shape=shape_of,
        proportions=critical_proportions,
        num_steps=TRAINING["num_steps"],
        settings=SETTINGS,
        options=run_options(SECTIONS),
        execution=execution_of,
        version=TRAINING_VERSION,


rule check_verification:
    input:
        record=ANSWER,
        losses=verification_losses,
    output:
        "results/{experiment}/continual/verification.json",
    log:
        "results/{experiment}/logs/check_verification.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        continual=config["continual"],
        domains=DOMAINS,
        source=source_of("check_verification"),
    script:
        "../scripts/check_verification.py"


rule draw_continual:
    input:
        continual_inputs,
    output:
        directory("results/{experiment}/figures"),
    log:
        "results/{experiment}/logs/draw_continual.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        results=results_folder,
        source=source_of("draw_continual"),
    script:
        "../scripts/draw_continual.py"


rule write_continual_report:
    input:
        continual_inputs,
        figures="results/{experiment}/figures",
    output:
        report(
            "results/{experiment}/report.html",
            category="Report",
            labels={"experiment": "{experiment}"},
        ),
    log:
        "results/{experiment}/logs/write_continual_report.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        results=results_folder,
        config=config,
        source=source_of("write_continual_report"),
    script:
        "../scripts/write_continual_report.py"
