"""Get the published files and verify them."""

from typing import TYPE_CHECKING

from mixlaws.losses.downloads import download_logs
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

download_logs(snakemake.params.published, snakemake.params.cache, snakemake.output[0])
