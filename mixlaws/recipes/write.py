"""Write the recipes of a mixture, and a README that says how to use them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixlaws.files import atomic_path, read_json
from mixlaws.recipes import RECIPES
from mixlaws.recipes.documents import document_tokens
from mixlaws.recipes.mixture import DATA, OPTIMUM, DecidedMixture

README = "README.md"
_GUIDE = """\
# The mixture for your trainer

{name} in parts of 1/{lattice}, for {tokens:,} tokens:

{table}

A share is a share of training *tokens*. Trainers that draw sequences of one length take it as it
is. A sampler that draws documents needs other numbers, because documents of different domains
differ in length.

{documents}

{coarse}Replace `{data}/DOMAIN` by the place of each domain's tokenized data. Domains without a
share are left out. Use one tokenizer for all domains: a share of tokens depends on it.

{recipes}
"""


def write_recipes(
    *,
    mixture: str | Path,
    optimum: str | Path,
    folder: str | Path,
    tokens_per_document: Mapping[str, float],
    accounting: str | Path | None = None,
) -> list[Path]:
    """Write every recipe for the optimum in optimum.json into a folder; return the files.

    Those of each named mixture go into a folder of its name. target_mixture.json, `mixture`, is
    shown beside the optimum. `tokens_per_document` are stated; others come from `accounting`.
    Raises ConfigError if proportions do not sum to 1, or if an unknown domain is stated.
    """
    record, rounded = read_json(optimum), read_json(mixture)
    lengths = document_tokens(tokens_per_document, accounting, list(record["proportions"]))
    decided = DecidedMixture.of(record, document_tokens=lengths)
    head = _notice(record["support"])
    texts = _texts(decided, head, _coarse_column(rounded), _coarse_words(decided, rounded))
    for name in record["named"]:
        own = DecidedMixture.of(record, name, lengths)
        texts |= {f"{name}/{file}": text for file, text in _texts(own, "", {}, "").items()}
    for name, text in texts.items():
        with atomic_path(Path(folder) / name) as temporary:
            temporary.write_text(text)
    return [Path(folder) / name for name in texts]


def _texts(
    mixture: DecidedMixture, head: str, column: Mapping[str, str], words: str
) -> dict[str, str]:
    """Return the text of every file for a mixture."""
    texts = {recipe.file_name: recipe.text(mixture) for recipe in RECIPES}
    return texts | {README: head + _guide(mixture, column, words)}


def _notice(support: Mapping[str, Any]) -> str:
    """Return a paragraph that says so if the mixture is not recommended."""
    if support["recommends"]:
        return ""
    words = (support["headline"], support["reason"], support["needs"])
    return f"**Not a recommendation.** {' '.join(words)}\n\n"


def _coarse_column(rounded: Mapping[str, Any]) -> dict[str, str]:
    return {domain: f"{share:.4f}" for domain, share in rounded["proportions"].items()}


def _coarse_words(mixture: DecidedMixture, rounded: Mapping[str, Any]) -> str:
    coarse = rounded["proportions"]
    difference = max(abs(float(s) - coarse[d]) for d, s in mixture.shares.items())
    return (
        f"The last column is the mixture in parts of 1/{rounded['lattice']}, which a confirmation "
        f"trains on; no share of\nit differs from the optimum by more than {difference:.4f}.\n\n"
    )


def _guide(mixture: DecidedMixture, column: Mapping[str, str], words: str) -> str:
    """Return the README; `column` is the confirmed share of each domain, explained in `words`."""
    documents = mixture.documents
    head = ["domain", "share", "parts", "tokens"]
    head += ["share of documents"] if documents else []
    head += ["confirmed share"] if column else []
    lines = [head, ["---"] * len(head)]
    for domain, share in mixture.shares.items():
        row = [domain, f"{float(share):.6f}", f"{mixture.counts[domain]:,}"]
        row += [f"{mixture.tokens[domain]:,}"]
        row += [f"{documents.get(domain, 0.0):.6f}"] if documents else []
        lines.append(row + ([column[domain]] if column else []))
    uses = [
        f"- `{recipe.file_name}`, {recipe.trainer} ({recipe.unit(mixture)}): "
        + recipe.guide.format(tokens=mixture.total_tokens)
        for recipe in RECIPES
    ]
    return _GUIDE.format(
        name="The optimum" if mixture.name == OPTIMUM else f"The mixture {mixture.name}",
        lattice=f"{mixture.lattice:,}",
        tokens=mixture.total_tokens,
        table="\n".join(f"| {' | '.join(line)} |" for line in lines),
        documents=_document_words(mixture),
        coarse=words,
        data=DATA,
        recipes="\n".join(uses),
    )


def _document_words(mixture: DecidedMixture) -> str:
    """Say how shares of documents follow, or that they cannot be told."""
    if mixture.documents is None:
        return (
            f"The tokens per document of {', '.join(mixture.unmeasured)} are not known, so that no "
            "file\nhere is for such a sampler. State them in recipes.tokens_per_document."
        )
    lengths = ", ".join(f"{name} {mixture.document_tokens[name]:,.1f}" for name in mixture.used)
    return f"The shares of documents follow from the tokens per document: {lengths}."
