"""The optimum at the target; its rounding; and, if asked for, the target really trained."""


rule find_optimum:
    input:
        losses="results/{experiment}/losses.parquet",
        runs="results/{experiment}/runs.csv",
        mixtures="results/{experiment}/mixtures.csv",
        choice="results/{experiment}/laws/choice.json",
        accounting="results/{experiment}/accounting.csv",
    output:
        optimum="results/{experiment}/optimum.json",
        surface="results/{experiment}/laws/surface.csv",
        interaction="results/{experiment}/laws/interaction.csv",
    log:
        "results/{experiment}/logs/find_optimum.log",
    benchmark:
        "results/{experiment}/benchmarks/find_optimum.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 2
    params:
        target=TARGET,
        weights=config["validation"]["weights"],
        optimum=config["optimum"],
        available_tokens=AVAILABLE_TOKENS,
        measured_factor=MEASURED_FACTOR,
        uncertainty=config["uncertainty"],
        seed=config["seed"],
        source=source_of("find_optimum"),
    script:
        "../scripts/find_optimum.py"


# The only checkpoint: the confirmation's proportions are known once this file is. It changes
# less often than the optimum, so a new law retrains the target only if the decision moves.
checkpoint round_optimum:
    input:
        "results/{experiment}/optimum.json",
    output:
        "results/{experiment}/target_mixture.json",
    log:
        "results/{experiment}/logs/round_optimum.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        lattice=config["mixtures"]["lattice"],
        source=source_of("round_optimum"),
    script:
        "../scripts/round_optimum.py"


rule train_confirmation:
    input:
        train=expand("results/{{experiment}}/tokens/{domain}/train.bin", domain=DOMAINS),
        train_manifests=expand(
            "results/{{experiment}}/tokens/{domain}/train.json", domain=DOMAINS
        ),
        validation=expand(
            "results/{{experiment}}/tokens/{domain}/validation.bin",
            domain=VALIDATION_DOMAINS,
        ),
        validation_manifests=expand(
            "results/{{experiment}}/tokens/{domain}/validation.json",
            domain=VALIDATION_DOMAINS,
        ),
        optimum=found_optimum,
    output:
        losses="results/{experiment}/confirmation/{mixture}/seed-{seed}/losses.csv",
        record="results/{experiment}/confirmation/{mixture}/seed-{seed}/run.json",
        timing="results/{experiment}/confirmation/{mixture}/seed-{seed}/timing.json",
    log:
        "results/{experiment}/logs/train_confirmation/{mixture}/seed-{seed}.log",
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        **process_resources(SECTIONS, is_target=True),
    params:
        **config["sizes"][config["target"]["size"]],
        **run_options(SECTIONS, is_target=True),
        checkpoints="results/{experiment}/checkpoints/confirmation/{mixture}/seed-{seed}",
        size=config["target"]["size"],
        proportions=confirmed_proportions,
        execution=confirmed_execution_of,
        num_steps=num_target_steps(SECTIONS),
        batch_size=TRAINING["batch_size"],
        sequence_length=TRAINING["sequence_length"],
        learning_rate=TRAINING["learning_rate"],
        embedding_learning_rate=TRAINING["embedding_learning_rate"],
        warmup_steps=TRAINING["warmup_steps"],
        weight_decay=TRAINING["weight_decay"],
        gradient_clip_norm=TRAINING["gradient_clip_norm"],
        averaging_exponent=TRAINING["averaging_exponent"],
        num_evaluations=TRAINING["num_evaluations"],
        first_evaluation=TRAINING["first_evaluation"],
        num_validation_windows=config["validation"]["num_windows"],
        max_epochs=TRAINING["max_epochs"],
        version=TRAINING_VERSION,
    script:
        "../scripts/train_proxy.py"


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


rule compare_confirmation:
    input:
        losses="results/{experiment}/confirmation.parquet",
        runs="results/{experiment}/runs.csv",
        confirmation_runs="results/{experiment}/confirmation_runs.csv",
        optimum="results/{experiment}/optimum.json",
    output:
        "results/{experiment}/confirmation.json",
    log:
        "results/{experiment}/logs/compare_confirmation.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        weights=config["validation"]["weights"],
        source=source_of("compare_confirmation"),
    script:
        "../scripts/compare_confirmation.py"


rule write_recipes:
    input:
        optimum="results/{experiment}/optimum.json",
        mixture="results/{experiment}/target_mixture.json",
    output:
        directory("results/{experiment}/recipes"),
    log:
        "results/{experiment}/logs/write_recipes.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        source=source_of("write_recipes"),
    script:
        "../scripts/write_recipes.py"
