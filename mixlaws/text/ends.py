"""The end of a document: a token that the tokenizer writes there, and for no text."""

from __future__ import annotations

import json
from typing import Any

from tokenizers import Tokenizer, processors

from mixlaws.errors import ConfigError

_RENAMED = " as text"


def with_own_end(tokenizer: Tokenizer, end: str) -> Tokenizer:
    """Return the tokenizer with `end` as a token of its own, appended to every text.

    If the model's vocabulary has `end` as a piece that text can spell (Unigram and WordLevel do),
    the piece gets another name and the end another id: such text is written with other pieces. An
    ordinary added token becomes a special one, which text does not spell. Raises ConfigError if
    text spells it even so.
    """
    record = json.loads(tokenizer.to_str())
    for token in record["added_tokens"]:
        if token["content"] == end:
            token["special"], token["normalized"] = True, False
    is_spelled = _spelled_by_text(_ending_in(_loaded(record), end), end)
    if is_spelled or _stands_for_unknown(record, end):
        _rename_piece(record, end)
    found = _ending_in(_loaded(record), end)
    if spelled := _spelled_by_text(found, end):
        raise ConfigError(
            f"the tokenizer writes its token {end!r} for text as well, such as {spelled!r}, so "
            "that it cannot end documents. Set tokenizer.end_of_document to a token that no text "
            "spells, or add one to the tokenizer"
        )
    return found


def _loaded(record: dict[str, Any]) -> Tokenizer:
    return Tokenizer.from_str(json.dumps(record))


def _ending_in(tokenizer: Tokenizer, end: str) -> Tokenizer:
    """Return the tokenizer; encoding a text then appends the end-of-document token."""
    # The template has its own name for the token: in a template blanks, `:` and `$` mean something.
    named = {"id": "END", "ids": [tokenizer.token_to_id(end)], "tokens": [end]}
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A END", special_tokens=[named]
    )
    return tokenizer


def _spelled_by_text(tokenizer: Tokenizer, end: str) -> str:
    """Return a text that the tokenizer writes with the end's id, or an empty string."""
    tokenizer.encode_special_tokens = True
    identity: Any = tokenizer.token_to_id(end)
    texts = [end, f"a {end} b", f"a{end}b", f"({end})", f"\n{end}\n", end * 2, f" {end}", f"{end} "]
    texts += [end.upper(), end.lower(), "\U0010fffd", "a\n\tb", "汉字", "{}[]"]
    for text in texts:
        try:
            ids = tokenizer.encode(text).ids
        except Exception as error:  # the library raises nothing narrower
            raise ConfigError(
                f"the tokenizer cannot encode the text {text!r}: {error}. Give it a token for what "
                "it does not know, or use another one"
            ) from error
        if ids.count(identity) != 1:
            return text
    return ""


def _stands_for_unknown(record: dict[str, Any], end: str) -> bool:
    """Return whether the model writes the end for what it does not know."""
    return bool(record["model"].get("unk_token") == end)


def _rename_piece(record: dict[str, Any], end: str) -> None:
    """Give the piece `end` of the model's vocabulary a name that no text is split into."""
    model = record["model"]
    vocabulary = model["vocab"]
    names = {piece for piece, _ in vocabulary} if isinstance(vocabulary, list) else set(vocabulary)
    if end not in names:
        return
    renamed = end + _RENAMED
    while renamed in names:
        renamed += _RENAMED
    if isinstance(vocabulary, list):
        model["vocab"] = [[renamed if p == end else p, score] for p, score in vocabulary]
    else:
        model["vocab"] = {renamed if p == end else p: number for p, number in vocabulary.items()}
    if model.get("unk_token") == end:
        model["unk_token"] = renamed
    if "merges" in model:
        model["merges"] = [each for each in model["merges"] if not _makes(each, end)]
    # The library gives the end the first number that is free, and wants tokens in order.
    tokens = record["added_tokens"]
    numbers = [number for _, number in _numbered(model["vocab"])] + [t["id"] for t in tokens]
    (own,) = (token for token in tokens if token["content"] == end)
    own["id"] = max(numbers) + 1
    tokens.sort(key=lambda token: token["id"])


def _numbered(vocabulary: Any) -> list[tuple[str, int]]:
    """Return pieces and numbers of a model's vocabulary."""
    if isinstance(vocabulary, list):
        return [(piece, number) for number, (piece, _) in enumerate(vocabulary)]
    return list(vocabulary.items())


def _makes(merge: list[str] | str, end: str) -> bool:
    """Return whether a merge makes a piece, or needs it."""
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return end in (left + right, left, right)
