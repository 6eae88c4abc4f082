"""Get and verify the published logs, and read the studies from them."""


rule download_logs:
    output:
        "results/{experiment}/published/verified.json",
    log:
        "results/{experiment}/logs/download_logs.log",
    localrule: True
    conda:
        "../../../envs/analysis.yaml"
    params:
        published=LOGS,
        # Not an output, so that downloads are kept if the job fails.
        cache="results/{experiment}/published/download",
    script:
        "../../scripts/download_logs.py"


rule read_study:
    input:
        "results/{experiment}/published/verified.json",
    output:
        expand("results/{{experiment}}/{{study}}/{table}", table=STUDY_TABLES),
    log:
        "results/{experiment}/logs/read_study/{study}.log",
    localrule: True
    conda:
        "../../../envs/analysis.yaml"
    params:
        published=logs_of,
        cache="results/{experiment}/published/download",
        source=source_of("read_study"),
    script:
        "../../scripts/read_study.py"
