"""Write the mixtures, train one proxy per (size, mixture, seed) and, if configured, the target."""


# The gate between text and training, on which every run depends. Its plan is not recorded, so that
# a new plan does not retrain what is trained: write_mixtures checks that one.
rule check_tokens:
    input:
        token_files(".json"),
    output:
        "results/{experiment}/tokens/checked.json",
    log:
        "results/{experiment}/logs/check_tokens.log",
    priority: 100
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        plan=unrecorded_plan,
    script:
        "../scripts/check_tokens.py"


rule write_mixtures:
    input:
        manifests=token_files(".json"),
        accounting="results/{experiment}/accounting.csv",
        checked="results/{experiment}/tokens/checked.json",
    output:
        "results/{experiment}/mixtures.csv",
    log:
        "results/{experiment}/logs/write_mixtures.log",
    # Runs before the training of new mixtures, because it refuses what the tokens cannot serve. It
    # is not an input of the training rule: every rewrite of the table would retrain all proxies.
    priority: 100
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        plan=TOKEN_PLAN,
        source=source_of("write_mixtures"),
    script:
        "../scripts/write_mixtures.py"


rule train_proxy:
    input:
        **training_inputs(),
        **initial_inputs(),
        checked="results/{experiment}/tokens/checked.json",
    output:
        losses="results/{experiment}/runs/{size}/{mixture}/seed-{seed}/losses.csv",
        record="results/{experiment}/runs/{size}/{mixture}/seed-{seed}/run.json",
        timing="results/{experiment}/runs/{size}/{mixture}/seed-{seed}/timing.json",
    log:
        "results/{experiment}/logs/train_proxy/{size}/{mixture}/seed-{seed}.log",
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        **process_resources(SECTIONS),
        mem_mb=memory_of,
        runtime=runtime_of,
        gpu=num_gpus(SECTIONS),
    params:
        # Not an output, because Snakemake deletes the outputs of a failed job.
        checkpoints="results/{experiment}/checkpoints/{size}/{mixture}/seed-{seed}",
        size="{size}",
        shape=shape_of,
        proportions=proportions_of,
        num_steps=TRAINING["num_steps"],
        settings=SETTINGS,
        options=run_options(SECTIONS),
        execution=execution_of,
        version=TRAINING_VERSION,
    script:
        "../scripts/train_proxy.py"


use rule train_proxy as train_confirmation with:
    input:
        **training_inputs(),
        **initial_inputs(),
        checked="results/{experiment}/tokens/checked.json",
        optimum=found_optimum,
    output:
        losses="results/{experiment}/confirmation/{mixture}/seed-{seed}/losses.csv",
        record="results/{experiment}/confirmation/{mixture}/seed-{seed}/run.json",
        timing="results/{experiment}/confirmation/{mixture}/seed-{seed}/timing.json",
    log:
        "results/{experiment}/logs/train_confirmation/{mixture}/seed-{seed}.log",
    resources:
        **process_resources(SECTIONS, is_target=True),
        mem_mb=memory_of,
        runtime=runtime_of,
        gpu=num_gpus(SECTIONS, is_target=True),
    params:
        checkpoints="results/{experiment}/checkpoints/confirmation/{mixture}/seed-{seed}",
        size=config["target"]["size"],
        shape=config["sizes"][config["target"]["size"]],
        proportions=confirmed_proportions,
        num_steps=num_target_steps(SECTIONS),
        options=run_options(SECTIONS, is_target=True),
        execution=confirmed_execution_of,
