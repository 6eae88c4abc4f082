"""Train one proxy per (size, mixture, seed) and collect the losses of all."""


rule write_mixtures:
    input:
        manifests=expand(
            "results/{{experiment}}/tokens/{domain}/train.json", domain=DOMAINS
        ),
        accounting="results/{experiment}/accounting.csv",
    output:
        "results/{experiment}/mixtures.csv",
    log:
        "results/{experiment}/logs/write_mixtures.log",
    # Before any training: it refuses mixtures that the text cannot serve. Not an input of the
    # training rule, or every rewrite of the table would retrain every proxy.
    priority: 100
    conda:
        "../../envs/train.yaml"
    params:
        domains=DOMAINS,
        # As plain dicts: Snakemake compares no other type with the last run's.
        mixtures=[asdict(mixture) for mixture in MIXTURES],
        tokens=num_proxy_tokens(SECTIONS),
        confirmed=CONFIRMATION["mixtures"],
        target_tokens=config["target"]["tokens"],
        max_epochs=TRAINING["max_epochs"],
        source=source_of("write_mixtures"),
    script:
        "../scripts/write_mixtures.py"


# One rule per size: a cluster's requests, packs and job arrays are by rule, and all jobs of an array
# get the request of its first.
for size in config["sizes"]:

    rule:
        name:
            f"train_proxy_{size}"
        input:
            train=expand(
                "results/{{experiment}}/tokens/{domain}/train.bin", domain=DOMAINS
            ),
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
        output:
            losses="results/{experiment}/runs/{size}/{mixture}/seed-{seed}/losses.csv",
            record="results/{experiment}/runs/{size}/{mixture}/seed-{seed}/run.json",
            timing="results/{experiment}/runs/{size}/{mixture}/seed-{seed}/timing.json",
        log:
            "results/{experiment}/logs/train_proxy/{size}/{mixture}/seed-{seed}.log",
        wildcard_constraints:
            size=re.escape(size),
        conda:
            "../../envs/train.yaml"
        threads: 1
        resources:
            **process_resources(SECTIONS),
        params:
            **run_options(SECTIONS),
            # Outside the outputs: Snakemake deletes the outputs of a failed job.
            checkpoints="results/{experiment}/checkpoints/{size}/{mixture}/seed-{seed}",
            size="{size}",
            proportions=proportions_of,
            execution=execution_of,
            num_layers=lookup(dpath="{size}/num_layers", within=config["sizes"]),
            model_width=lookup(dpath="{size}/model_width", within=config["sizes"]),
            num_heads=lookup(dpath="{size}/num_heads", within=config["sizes"]),
            num_steps=TRAINING["num_steps"],
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


rule collect_losses:
    input:
        losses=run_files("losses.csv"),
        records=run_files("run.json"),
        timings=run_files("timing.json"),
    output:
        losses="results/{experiment}/losses.parquet",
        runs="results/{experiment}/runs.csv",
    log:
        "results/{experiment}/logs/collect_losses.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        domains=DOMAINS,
        source=source_of("collect_losses"),
    script:
        "../scripts/collect_losses.py"
