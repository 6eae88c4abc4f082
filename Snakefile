"""The workflow from raw text to a mixture with error bars. Its stages follow the includes."""

import os
import shlex
import sys

from pathlib import Path

from mixlaws.config.start import start_sections
from mixlaws.errors import check_program_path, ending_with_one_message
from mixlaws.provenance import COMMAND, LOGS_SHOWN, source_digest
from snakemake.utils import min_version

min_version("9.0")
# The page shows the command. Jobs inherit it from the first Snakemake.
os.environ.setdefault(COMMAND, shlex.join(["snakemake", *sys.argv[1:]]))
# The message of a failed job is shown once in the terminal: either Snakemake prints the job's log, or
# the job prints the message. Jobs on a cluster inherit this variable from the first Snakemake.
os.environ.setdefault(LOGS_SHOWN, "1" * workflow.output_settings.show_failed_logs)
# The digest of a script and all its imports is a param of every cheap rule, so that an edit reruns it.
# Training and text have versions instead (mixlaws/provenance.py), so that an edit does not repeat them.
SCRIPTS = Path(workflow.basedir, "workflow", "scripts")
source_of = lambda script: source_digest(SCRIPTS / f"{script}.py")

# The demo is loaded only if no experiment is given: Snakemake merges config files and would add the
# demo's domains to the experiment's.
if "experiment" not in config:

    configfile: "config.yaml"


PAGE = f"results/{config['experiment']}/report.html"


include: "workflow/rules/terminal.smk"


with ending_with_one_message():
    check_program_path(sys.executable)
    SECTIONS = start_sections(
        config,
        workflow.configfiles,
        workflow.config_settings.config,
        is_main=workflow.is_main_process,
    )
    # Params of rules are plain built-ins, because Snakemake does not compare other types with the last
    # run. The keys are in the order of the model, in which the page lists them.
    config.clear()
    config.update(SECTIONS.model_dump())
    # An experiment on published losses trains nothing.
    if "published" in config:

        include: "workflow/rules/paper/common.smk"
        include: "workflow/rules/paper/studies.smk"
        include: "workflow/rules/paper/procedure.smk"
        include: "workflow/rules/paper/joint.smk"
        include: "workflow/rules/paper/report.smk"

    # Nor does one on losses that somebody has.
    elif "losses" in config:

        include: "workflow/rules/import.smk"
        include: "workflow/rules/laws.smk"
        include: "workflow/rules/decision.smk"
        include: "workflow/rules/report.smk"

    elif "continual" in config:

        include: "workflow/rules/common.smk"
        include: "workflow/rules/initial.smk"
        include: "workflow/rules/text.smk"
        include: "workflow/rules/runs.smk"
        include: "workflow/rules/losses.smk"
        include: "workflow/rules/continual.smk"

    else:

        include: "workflow/rules/common.smk"
        include: "workflow/rules/initial.smk"
        include: "workflow/rules/text.smk"
        include: "workflow/rules/runs.smk"
        include: "workflow/rules/losses.smk"
        include: "workflow/rules/laws.smk"
        include: "workflow/rules/decision.smk"
        include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        PAGE,
    localrule: True
