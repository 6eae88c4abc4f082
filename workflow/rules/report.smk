"""Draw the figures, each with its table, and write the page."""


rule draw_figures:
    input:
        report_inputs,
    output:
        directory("results/{experiment}/figures"),
    log:
        "results/{experiment}/logs/draw_figures.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        results=results_folder,
        config=config,
        source=source_of("draw_figures"),
    script:
        "../scripts/draw_figures.py"


rule write_report:
    input:
        report_inputs,
        figures="results/{experiment}/figures",
        recipes="results/{experiment}/recipes",
    output:
        report(
            "results/{experiment}/report.html",
            category="Report",
            labels={"experiment": "{experiment}"},
        ),
    log:
        "results/{experiment}/logs/write_report.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        results=results_folder,
        config=config,
        source=source_of("write_report"),
    script:
        "../scripts/write_report.py"
