"""Find the critical proportion at every size and number of tokens."""

from typing import TYPE_CHECKING

from mixlaws.decision.replay_outcome import find_shares
from mixlaws.provenance import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log_to(snakemake.log[0])
find_shares(dict(snakemake.input), dict(snakemake.output), dict(snakemake.params))
