"""What the experiment will cost, before anything is read: `snakemake plan`."""


rule plan:
    log:
        f"results/{EXPERIMENT}/logs/plan.log",
    localrule: True
    conda:
        "../../envs/train.yaml"
    params:
        # No output: a failed job's outputs are deleted, and the table must stay.
        folder=f"results/{EXPERIMENT}",
        config=config,
    script:
        "../scripts/plan.py"
