"""Recipes: the decided mixture in the formats that trainers read, one file per trainer.

In every format a weight is a share of training tokens, because these trainers draw sequences of
equal length in proportion to it. A sampler that draws documents or files needs other numbers.
"""

from __future__ import annotations

from mixlaws.recipes.hugging_face import HUGGING_FACE
from mixlaws.recipes.levanter import LEVANTER
from mixlaws.recipes.litgpt import LITGPT
from mixlaws.recipes.megatron import MEGATRON
from mixlaws.recipes.nanotron import NANOTRON
from mixlaws.recipes.olmo_core import OLMO_CORE
from mixlaws.recipes.plain import PLAIN
from mixlaws.recipes.recipe import Recipe
from mixlaws.recipes.streaming import STREAMING
from mixlaws.recipes.table import TABLE

RECIPES: tuple[Recipe, ...] = (
    *(HUGGING_FACE, MEGATRON, OLMO_CORE, NANOTRON, LITGPT, STREAMING, LEVANTER),
    *(TABLE, PLAIN),
)
"""All recipes, in the order of the README that is written beside them."""
