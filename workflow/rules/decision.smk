"""Find the optimum at the target, round it, compare it with a trained target, and write recipes."""


rule find_optimum:
    input:
        losses="results/{experiment}/losses.parquet",
        runs="results/{experiment}/runs.csv",
        mixtures="results/{experiment}/mixtures.csv",
        choice="results/{experiment}/laws/choice.json",
        law="results/{experiment}/laws/law.json",
        # Snakemake keeps the name `size` of an input for itself.
        step_law="results/{experiment}/laws/step_law.csv",
        size_law="results/{experiment}/laws/size_law.csv",
        accounting=ACCOUNTING,
    output:
        optimum="results/{experiment}/optimum.json",
        replicates="results/{experiment}/laws/replicates.parquet",
        surface="results/{experiment}/laws/surface.csv",
        interaction="results/{experiment}/laws/interaction.csv",
    log:
        "results/{experiment}/logs/find_optimum.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    threads: 2
    params:
        target=TARGET,
        planned=PLANNED,
        weights=config["validation"]["weights"],
        optimum=config["optimum"],
        available_tokens=AVAILABLE_TOKENS,
        measured_factor=MEASURED_FACTOR,
        uncertainty=config["uncertainty"],
        seed=config["seed"],
        source=source_of("find_optimum"),
    script:
        "../scripts/find_optimum.py"


rule divide_budget:
    input:
        losses="results/{experiment}/losses.parquet",
        runs="results/{experiment}/runs.csv",
        mixtures="results/{experiment}/mixtures.csv",
        choice="results/{experiment}/laws/choice.json",
        law="results/{experiment}/laws/law.json",
        replicates="results/{experiment}/laws/replicates.parquet",
        accounting=ACCOUNTING,
    output:
        budget="results/{experiment}/budget.json",
        isoflop="results/{experiment}/laws/isoflop.csv",
    log:
        "results/{experiment}/logs/divide_budget.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        target=TARGET,
        planned=PLANNED,
        weights=config["validation"]["weights"],
        optimum=config["optimum"],
        available_tokens=AVAILABLE_TOKENS,
        measured_factor=MEASURED_FACTOR,
        uncertainty=config["uncertainty"],
        seed=config["seed"],
        compute_budget=config.get("compute_budget"),
        source=source_of("divide_budget"),
    script:
        "../scripts/divide_budget.py"


# The only checkpoint: the proportions of the confirmation come from its output. The output changes
# less often than the optimum, so a new law retrains the target only if the rounded mixture changes.
checkpoint round_optimum:
    input:
        "results/{experiment}/optimum.json",
    output:
        "results/{experiment}/target_mixture.json",
    log:
        "results/{experiment}/logs/round_optimum.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        lattice=LATTICE,
        source=source_of("round_optimum"),
    script:
        "../scripts/round_optimum.py"


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
    localrule: True
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
        accounting=ACCOUNTING,
    output:
        directory("results/{experiment}/recipes"),
    log:
        "results/{experiment}/logs/write_recipes.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        tokens_per_document=config["recipes"]["tokens_per_document"],
        source=source_of("write_recipes"),
    script:
        "../scripts/write_recipes.py"
