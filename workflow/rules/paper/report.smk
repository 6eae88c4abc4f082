"""Compare the paper's numbers with ours, draw the figures and write the page."""


rule write_verdicts:
    input:
        procedure_files(),
    output:
        "results/{experiment}/paper_verdicts.csv",
    log:
        "results/{experiment}/logs/write_verdicts.log",
    localrule: True
    conda:
        "../../../envs/analysis.yaml"
    params:
        results=published_results,
        published=PUBLISHED,
        source=source_of("write_verdicts"),
    script:
        "../../scripts/write_verdicts.py"


rule draw_published:
    input:
        procedure_files(),
        BESIDE,
    output:
        directory("results/{experiment}/figures"),
    log:
        "results/{experiment}/logs/draw_published.log",
    localrule: True
    conda:
        "../../../envs/analysis.yaml"
    params:
        results=published_results,
        config=config,
        source=source_of("draw_published"),
    script:
        "../../scripts/draw_published.py"


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
    localrule: True
    conda:
        "../../../envs/analysis.yaml"
    params:
        results=published_results,
        config=config,
        source=source_of("write_published_report"),
    script:
        "../../scripts/write_published_report.py"


# Run only the paper's procedure, without intervals, figures and page: snakemake verdicts ...
rule verdicts:
    input:
        f"results/{config['experiment']}/paper_verdicts.csv",
    localrule: True
