"""Download the published logs, or take a local copy, and check every sum."""

from typing import TYPE_CHECKING

from mixlaws.losses.downloads import published_files
from mixlaws.provenance import log_to
from mixlaws.files import write_json

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])

published = snakemake.params.published
published_files(published, snakemake.params.cache)
write_json(published["files"], snakemake.output[0])
