"""From raw text to a mixture with error bars: read the includes in order."""

import os

from pathlib import Path

from mixlaws.errors import ending_with_one_message
from mixlaws.provenance import LOGS_SHOWN, source_digest
from snakemake.utils import min_version

min_version("9.0")
# The message of a failed job reaches the terminal once: with its log, or else from the job itself.
# Jobs on a cluster inherit what the first Snakemake says.
os.environ.setdefault(LOGS_SHOWN, "1" * workflow.output_settings.show_failed_logs)
# The digest of a script and of all that it imports: a param of every rule that is cheap. Training and
# text have versions instead (mixlaws/provenance.py): no edit redoes them by itself.
SCRIPTS = Path(workflow.basedir, "workflow", "scripts")
source_of = lambda script: source_digest(SCRIPTS / f"{script}.py")

# An experiment is complete in itself: Snakemake merges config files, so the demo's domains
# must not lie underneath it.
if "experiment" not in config:

    configfile: "config.yaml"


with ending_with_one_message():
    # Laws of losses that others published: nothing is trained.
    if "published" in config:

        include: "workflow/rules/paper/common.smk"
        include: "workflow/rules/paper/studies.smk"
        include: "workflow/rules/paper/procedure.smk"
        include: "workflow/rules/paper/joint.smk"
        include: "workflow/rules/paper/report.smk"

    else:

        include: "workflow/rules/common.smk"
        include: "workflow/rules/text.smk"
        include: "workflow/rules/runs.smk"
        include: "workflow/rules/losses.smk"
        include: "workflow/rules/laws.smk"
        include: "workflow/rules/decision.smk"
        include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        f"results/{config['experiment']}/report.html",
    localrule: True
