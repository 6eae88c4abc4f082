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

{notice}Mixture `{name}` on the 1/{lattice} lattice, for {tokens:,} tokens:

{table}

Every weight is a share of training *tokens*. The trainers below draw sequences of one length in
proportion to it, so shares of sequences are shares of tokens. Do not pass these numbers to a
sampler that draws documents: documents of different domains differ in length.

Replace `{data}/DOMAIN` by the place of each domain's tokenized data. Domains without a share are
left out. Use one tokenizer for all domains: a share of tokens depends on it.

{recipes}
"""


def write_recipes(*, mixture: str | Path, optimum: str | Path, folder: str | Path) -> list[Path]:
    """Write every recipe for the mixture in target_mixture.json into a folder; return the files.

    The target's tokens come from optimum.json. Raises ConfigError if the proportions are not
    multiples of 1 / lattice that sum to 1.
    """
    record = read_json(optimum)
    decided = DecidedMixture.of(read_json(mixture), record["target"])
    texts = {recipe.file_name: recipe.text(decided) for recipe in RECIPES}
    texts[README] = _guide(decided, record["support"])
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


def _guide(mixture: DecidedMixture, support: Mapping[str, Any]) -> str:
    rows = [
        f"| {domain} | {mixture.counts[domain]}/{mixture.lattice} | {float(share):.4f} | "
        f"{mixture.tokens[domain]:,} |"
        for domain, share in mixture.shares.items()
    ]
    uses = [
        f"- `{recipe.file_name}`, {recipe.trainer}: "
        + recipe.guide.format(tokens=mixture.total_tokens)
        for recipe in RECIPES
    ]
    return _GUIDE.format(
        notice=_notice(support),
        name=mixture.name,
        lattice=mixture.lattice,
        tokens=mixture.total_tokens,
        table="\n".join(["| domain | share | | tokens |", "|---|---|---|---|", *rows]),
        data=DATA,
        recipes="\n".join(uses),
    )
