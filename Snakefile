"""From raw text to a mixture with error bars: read the includes in order."""

import sys

from pathlib import Path

from mixlaws.runs.job import become_own_task
from mixlaws.provenance import source_digest
from snakemake.utils import min_version

min_version("9.0")
# In a SLURM job array, and nowhere else: mixlaws/arrays.py says why.
become_own_task(sys.argv)


def source_of(script):
    """The digest of a script and of all that it imports: a param of every rule that is cheap.

    Training and text have versions instead (mixlaws/provenance.py): no edit redoes them by itself.
    """
    scripts = Path(workflow.basedir) / "workflow" / "scripts"
    return source_digest(scripts / f"{script}.py")


# An experiment is complete in itself: Snakemake merges config files, so the demo's domains
# must not lie underneath it.
if "experiment" not in config:

    configfile: "config.yaml"


if "published" in config:  # laws of losses that others published; nothing is trained

    include: "workflow/rules/published.smk"
    include: "workflow/rules/continual.smk"

    # The download needs a network, and the rest takes minutes: they run where Snakemake does.
    localrules:
        download_logs,
        read_study,
        fit_two_domains,
        compare_forms,
        fit_five_domains,
        extrapolate_losses,
        match_steps,
        rank_mixtures,
        score_pipelines,
        predict_target,
        bound_target,
        fit_continual,
        write_verdicts,
        draw_published,
        write_published_report,

else:

    include: "workflow/rules/common.smk"
    include: "workflow/rules/domains.smk"
    include: "workflow/rules/proxies.smk"
    include: "workflow/rules/laws.smk"
    include: "workflow/rules/optimum.smk"
    include: "workflow/rules/report.smk"

    # Seconds to minutes each: they run where Snakemake does, also on a cluster.
    localrules:
        write_mixtures,
        collect_losses,
        score_laws,
        fit_laws,
        find_optimum,
        round_optimum,
        collect_confirmation,
        compare_confirmation,
        write_recipes,
        draw_figures,
        write_report,


rule all:
    default_target: True
    input:
        f"results/{config['experiment']}/report.html",
    localrule: True
