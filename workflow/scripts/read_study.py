"""Read one study from its logs, corrected, as tables."""

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.losses.downloads import published_files
from mixlaws.losses.readers.data_mixing_laws import read_study
from mixlaws.provenance import log_to
from mixlaws.losses.studies import save_study

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

published = snakemake.params.published
name = snakemake.wildcards.study
used = published["studies"][name]["files"].values()
sums = {path: published["files"][path] for path in used}
files = published_files(published | {"files": sums}, snakemake.params.cache)
save_study(read_study(published, name, files), Path(snakemake.output[0]).parent)
