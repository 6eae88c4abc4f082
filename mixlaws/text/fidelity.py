"""Fidelity: what a tokenizer loses of a domain's text.

Losses of text that the tokenizer cannot write are no measure of a model, in bits per byte least of
all: a language that becomes unknown tokens has a loss near zero.
"""

from __future__ import annotations

import json
from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tokenizers import Tokenizer

NUM_CHECKED = 64
"""Documents per split and domain that are decoded again: those with the smallest ids, a sample
that does not depend on parts and shards. A share of 0.1 has a standard error of 0.04."""
Checked = tuple[str, bool]
"""The start of a document's id, and whether it decodes to itself."""
_ID_DIGITS = 16


@dataclass
class Sample:
    """The checked documents of one split, in the order of their ids."""

    checked: list[Checked] = field(default_factory=list)

    def add(self, identity: str, is_kept: Callable[[], bool]) -> None:
        """Check a document if its id is among the smallest so far."""
        start = identity[:_ID_DIGITS]
        if len(self.checked) < NUM_CHECKED or start < self.checked[-1][0]:
            insort(self.checked, (start, is_kept()))
            del self.checked[NUM_CHECKED:]


def joined_sample(samples: Iterable[Sequence[Sequence[object]]]) -> list[bool]:
    """Return whether each checked document of a split decodes to itself, from all its shards."""
    checked = sorted((str(start), bool(kept)) for sample in samples for start, kept in sample)
    return [kept for _, kept in checked[:NUM_CHECKED]]


class Decoder:
    """Decodes token ids, to compare them with the text."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def keeps(self, text: str, ids: Sequence[int]) -> bool:
        """Return whether the ids decode to the text, apart from white space at its ends.

        Without a decoder the tokens are joined.
        """
        if self._tokenizer.decoder is None:
            decoded = "".join(self._tokenizer.id_to_token(each) or "" for each in ids)
        else:
            decoded = self._tokenizer.decode(ids, skip_special_tokens=False)
        return bool(decoded.strip() == text.strip())


def unknown_id(tokenizer: Tokenizer) -> int | None:
    """Return the id that stands for what the vocabulary has not, if there is one."""
    model = json.loads(tokenizer.to_str())["model"]
    if model.get("unk_id") is not None:
        return int(model["unk_id"])
    token = model.get("unk_token")
    found: int | None = None if token is None else tokenizer.token_to_id(token)
    return found
