"""The decided mixture in the formats that trainers read.

In every format a weight is a share of training tokens, because the trainers below draw sequences
of one length in proportion to it. Weights of documents or of files are another thing: do not pass
these numbers to a sampler that draws documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

from mixlaws.errors import ConfigError
from mixlaws.files import atomic_path, write_json

# Stands for the folder of the trainer's own tokenized data: recipes name no place.
DATA = "DATA"

GUIDE = """\
# The mixture for your trainer

Mixture `{mixture}` on the 1/{lattice} lattice, for {tokens:,} tokens:

{table}

Every weight is a share of training *tokens*. The trainers below draw sequences of one length in
proportion to it, so shares of sequences are shares of tokens. Do not pass these numbers to a
sampler that draws documents: documents of different domains have different lengths.

Replace `{data}/DOMAIN` by the place of each domain's tokenized data. Domains with no share are
left out. Tokenize with one tokenizer: a share of tokens depends on it.

- `megatron.txt`, Megatron-LM: `--data-args-path megatron.txt`, the same as its words after
  `--data-path`. Weights are normalised; each next sequence comes from the domain furthest below
  its share.
- `olmo_core.yaml`, OLMo-core: the `SourceMixtureList` of a `SourceMixtureDatasetConfig` with
  `requested_tokens: {tokens}`. A domain that must be repeated needs a `max_repetition_ratio`.
- `nanotron.yaml`, nanotron: the `data_stages` entry of a config with Nanosets.
- `mixture.json`, any other: proportions, counts on the lattice, tokens per domain.
"""


def write_recipes(
    mixture: Mapping[str, Any], target: Mapping[str, Any], folder: str | Path
) -> list[Path]:
    """Write the mixture for each trainer into the folder and return the files.

    `mixture` is the record of target_mixture.json (mixture, lattice, proportions), `target` that
    of optimum.json (size, num_params, tokens).

    Raises:
        ConfigError: proportions that are no multiples of 1 / lattice, or do not sum to 1.
    """
    shares = _exact_shares(mixture)
    used = {domain: float(share) for domain, share in shares.items() if share > 0}
    tokens = int(target["tokens"])
    folder = Path(folder)
    texts = {
        "megatron.txt": _megatron(used),
        "olmo_core.yaml": _olmo_core(used, tokens),
        "nanotron.yaml": _nanotron(used),
        "README.md": _guide(mixture, shares, tokens),
    }
    for name, text in texts.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text)
    write_json(_plain(mixture, shares, tokens), folder / "mixture.json")
    return [folder / name for name in (*texts, "mixture.json")]


def _exact_shares(mixture: Mapping[str, Any]) -> dict[str, Fraction]:
    """Return the proportions as fractions of the lattice, which sum to 1 exactly."""
    lattice = int(mixture["lattice"])
    counts = {domain: share * lattice for domain, share in mixture["proportions"].items()}
    shares = {domain: Fraction(round(count), lattice) for domain, count in counts.items()}
    off = [d for d, count in counts.items() if count < 0 or abs(count - round(count)) > 1e-9]
    if off or sum(shares.values()) != 1:
        raise ConfigError(
            f"the proportions of {mixture['mixture']} must be multiples of 1/{lattice} that sum to "
            f"1, got {dict(mixture['proportions'])}: round them with mixtures.round_to_lattice"
        )
    return shares


def _megatron(shares: Mapping[str, float]) -> str:
    # NVIDIA/Megatron-LM: get_blend_from_list in megatron/core/datasets/utils.py splits the file
    # at blanks into weight, prefix, weight, prefix; BlendedDataset normalises the weights.
    return "".join(f"{share!r} {DATA}/{domain}\n" for domain, share in shares.items())


def _olmo_core(shares: Mapping[str, float], tokens: int) -> str:
    # allenai/OLMo-core: SourceMixtureConfig in src/olmo_core/data/source_mixture.py; target_ratio
    # is of requested_tokens, above 0, and all of them sum to 1.
    sources = [
        {"source_name": domain, "target_ratio": share, "paths": [f"{DATA}/{domain}/*.npy"]}
        for domain, share in shares.items()
    ]
    head = f"# Shares of training tokens; requested_tokens: {tokens}\n"
    return head + yaml.safe_dump({"sources": sources}, sort_keys=False)


def _nanotron(shares: Mapping[str, float]) -> str:
    # huggingface/nanotron: NanosetDatasetsArgs in src/nanotron/config/config.py; Nanoset in
    # src/nanotron/data/nanoset.py normalises the weights and draws sequences of one length.
    dataset = {
        "dataset_folder": [f"{DATA}/{domain}" for domain in shares],
        "dataset_weights": list(shares.values()),
    }
    data = {"dataset": dataset, "num_loading_workers": 1, "seed": 42}
    stage = {"name": "mixture", "start_training_step": 1, "data": data}
    head = "# Shares of training tokens, in the order of the folders.\n"
    return head + yaml.safe_dump({"data_stages": [stage]}, sort_keys=False)


def _plain(
    mixture: Mapping[str, Any], shares: Mapping[str, Fraction], tokens: int
) -> dict[str, Any]:
    """Return what any other trainer needs."""
    lattice = int(mixture["lattice"])
    return {
        "mixture": mixture["mixture"],
        "unit": "share of training tokens",
        "lattice": lattice,
        "proportions": {domain: float(share) for domain, share in shares.items()},
        "counts": {domain: int(share * lattice) for domain, share in shares.items()},
        "tokens": {domain: round(share * tokens) for domain, share in shares.items()},
        "total_tokens": tokens,
    }


def _guide(mixture: Mapping[str, Any], shares: Mapping[str, Fraction], tokens: int) -> str:
    lattice = int(mixture["lattice"])
    rows = [
        f"| {domain} | {int(share * lattice)}/{lattice} | {float(share):.4f} | "
        f"{round(share * tokens):,} |"
        for domain, share in shares.items()
    ]
    table = "\n".join(["| domain | share | | tokens |", "|---|---|---|---|", *rows])
    return GUIDE.format(
        mixture=mixture["mixture"], lattice=lattice, tokens=tokens, table=table, data=DATA
    )
