"""Write and print what the experiment will cost, then refuse one that its text cannot serve."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.runs.cost import check_plan, write_plan

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

# Printed, not logged: the reader waits for it. The log has the same text.
text = write_plan(snakemake.params.config, snakemake.params.folder)
Path(snakemake.log[0]).write_text(text + "\n")
print(text, flush=True)
check_plan(snakemake.params.config)
