"""Megatron-LM: weights and prefixes for `--data-args-path`."""

from __future__ import annotations

from mixlaws.recipes.mixture import DATA, DecidedMixture
from mixlaws.recipes.recipe import Recipe


def _text(mixture: DecidedMixture) -> str:
    # NVIDIA/Megatron-LM: get_blend_from_list in megatron/core/datasets/utils.py splits the file
    # at blanks into weight, prefix, weight, prefix; BlendedDataset normalises the weights.
    return "".join(f"{share!r} {DATA}/{domain}\n" for domain, share in mixture.used.items())


MEGATRON = Recipe(
    "megatron.txt",
    "Megatron-LM",
    "`--data-args-path megatron.txt` is the same as passing its words after `--data-path`. "
    "Megatron-LM normalises the weights and takes each next sequence from the domain that is "
    "furthest below its share.",
    _text,
)
