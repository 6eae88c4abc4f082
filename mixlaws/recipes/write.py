"""Write the recipes of a mixture, and a README that says how to use them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixlaws.files import atomic_path, read_json
from mixlaws.recipes import RECIPES
from mixlaws.recipes.mixture import DATA, DecidedMixture

README = "README.md"
_GUIDE = """\
# The mixture for your trainer

The optimum in parts of 1/{lattice}, for {tokens:,} tokens:

{table}

Every weight is a share of training *tokens*. The trainers below draw sequences of one length in
proportion to it, so shares of sequences are shares of tokens. Do not pass these numbers to a
sampler that draws documents: documents of different domains differ in length.

The last column is the mixture in parts of 1/{coarse}, which a confirmation trains on; no share of
it differs from the optimum by more than {difference:.4f}.

Replace `{data}/DOMAIN` by the place of each domain's tokenized data. Domains without a share are
left out. Use one tokenizer for all domains: a share of tokens depends on it.

{recipes}
"""


def write_recipes(*, mixture: str | Path, optimum: str | Path, folder: str | Path) -> list[Path]:
    """Write every recipe for the mixture in optimum.json into a folder; return the files.

    target_mixture.json, `mixture`, is shown beside it. Raises ConfigError if the proportions do not
    sum to 1.
    """
    record, rounded = read_json(optimum), read_json(mixture)
    decided = DecidedMixture.of(record)
    texts = {recipe.file_name: recipe.text(decided) for recipe in RECIPES}
    texts[README] = _notice(record["support"]) + _guide(decided, rounded)
    for name, text in texts.items():
        with atomic_path(Path(folder) / name) as temporary:
            temporary.write_text(text)
    return [Path(folder) / name for name in texts]


def _notice(support: Mapping[str, Any]) -> str:
    """Return a paragraph that says so if the mixture is not recommended."""
    if support["recommends"]:
        return ""
    words = (support["headline"], support["reason"], support["needs"])
    return f"**Not a recommendation.** {' '.join(words)}\n\n"


def _guide(mixture: DecidedMixture, rounded: Mapping[str, Any]) -> str:
    coarse = rounded["proportions"]
    rows = [
        f"| {domain} | {float(share):.6f} | {mixture.counts[domain]:,} | "
        f"{mixture.tokens[domain]:,} | {coarse[domain]:.4f} |"
        for domain, share in mixture.shares.items()
    ]
    uses = [
        f"- `{recipe.file_name}`, {recipe.trainer}: "
        + recipe.guide.format(tokens=mixture.total_tokens)
        for recipe in RECIPES
    ]
    head = ["| domain | share | parts | tokens | confirmed share |", "|---|---|---|---|---|"]
    return _GUIDE.format(
        lattice=f"{mixture.lattice:,}",
        coarse=rounded["lattice"],
        difference=max(abs(float(s) - coarse[d]) for d, s in mixture.shares.items()),
        tokens=mixture.total_tokens,
        table="\n".join([*head, *rows]),
        data=DATA,
        recipes="\n".join(uses),
    )
