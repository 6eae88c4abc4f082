"""Tokenizers: trained on the text or given; each document ends in one end-of-document token."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from mixlaws.errors import ConfigError, DataError
from mixlaws.files import atomic_path
from mixlaws.text.documents import read_texts
from mixlaws.text.duplicates import dropped_ids
from mixlaws.text.ends import with_own_end
from mixlaws.text.sources.paths import expand_path

END_OF_DOCUMENT = "<|endoftext|>"
# Its names in widely used tokenizers (GPT-2 and NeoX, Llama 3, Llama 2 and T5, Gemma).
_ENDS_OF_DOCUMENT = (END_OF_DOCUMENT, "<|end_of_text|>", "</s>", "<eos>")
# Training takes the square of the longest word's length: 3 MB of blanks would take 50 minutes.
MAX_WORD_CHARACTERS = 256
"""A longer run of blanks, or without blanks, is cut into pieces of this length for the training."""
_LONG_WORD = re.compile(rf"\s{{{MAX_WORD_CHARACTERS + 1},}}|\S{{{MAX_WORD_CHARACTERS + 1},}}")
# Words, digits, code, and letters beyond ASCII.
_PROBE = "The year 1984: x = {y}; \u00e9t\u00e9, \u4f60\u597d"
# 256 bytes and the end-of-document token.
_MIN_VOCABULARY_SIZE = 257


def make_tokenizer(
    options: Mapping[str, Any],
    *,
    documents: Mapping[str, Sequence[str | Path]],
    duplicates: str | Path,
    output: str | Path,
) -> None:
    """Train or adopt a tokenizer, as the config's `tokenizer` section says.

    `documents` maps each domain to train on to its documents files.
    """
    if "train" in options:
        train_tokenizer(
            documents,
            duplicates,
            vocabulary_size=options["train"]["vocabulary_size"],
            max_bytes=options["train"]["max_bytes"],
            output=output,
        )
    else:
        adopt_tokenizer(open_tokenizer(options), options.get("end_of_document"), output=output)


def train_tokenizer(
    documents: Mapping[str, Sequence[str | Path]],
    duplicates: str | Path,
    *,
    vocabulary_size: int,
    max_bytes: int,
    output: str | Path,
) -> None:
    """Train a byte-level BPE on the training split of the domains; write tokenizer.json.

    The tokenizer learns from the first documents of each domain, an equal share of `max_bytes`
    each; files are in hash order, so these are a fair sample of them. Words above
    MAX_WORD_CHARACTERS are cut, and counted in the log. Equal documents give equal bytes.
    Raises ConfigError when `vocabulary_size` is below the 256 bytes and the end-of-document token,
    DataError when the text is too short to fill it.
    """
    if vocabulary_size < _MIN_VOCABULARY_SIZE:
        raise ConfigError(
            f"tokenizer.train.vocabulary_size is {vocabulary_size}, too small for the 256 bytes "
            f"and the end-of-document token. Set it to {_MIN_VOCABULARY_SIZE} or more"
        )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=[END_OF_DOCUMENT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_training_texts(documents, duplicates, max_bytes), trainer)
    if tokenizer.get_vocab_size() < vocabulary_size:
        raise DataError(
            f"the training text of {', '.join(documents)} gives a vocabulary of "
            f"{tokenizer.get_vocab_size():,} tokens only; tokenizer.train.vocabulary_size is "
            f"{vocabulary_size:,}. Give more text, or lower vocabulary_size"
        )
    _write_tokenizer(with_own_end(tokenizer, END_OF_DOCUMENT), output)


def _training_texts(
    documents: Mapping[str, Sequence[str | Path]], duplicates: str | Path, max_bytes: int
) -> Iterator[str]:
    for domain, paths in documents.items():
        budget, num_cut = max_bytes / len(documents), 0
        for text in _domain_texts(domain, paths, duplicates):
            budget -= len(text.encode())
            if budget < 0:
                break
            pieces = cut_long_words(text)
            num_cut += len(pieces) > 1
            yield from pieces
        if num_cut:
            print(
                f"{domain}: words of more than {MAX_WORD_CHARACTERS} characters were cut for the "
                f"training of the tokenizer, in this many documents: {num_cut:,}"
            )


def cut_long_words(text: str) -> list[str]:
    """Return the text in pieces, none with a word of more than MAX_WORD_CHARACTERS."""
    pieces, start = [], 0
    for found in _LONG_WORD.finditer(text):
        cuts = range(found.start() + MAX_WORD_CHARACTERS, found.end(), MAX_WORD_CHARACTERS)
        for cut in cuts:
            pieces.append(text[start:cut])
            start = cut
    return [*pieces, text[start:]]


def _domain_texts(
    domain: str, paths: Sequence[str | Path], duplicates: str | Path
) -> Iterator[str]:
    for part, path in enumerate(paths):
        dropped = dropped_ids(duplicates, domain, part)
        yield from read_texts(path, split="train", dropped=dropped)


def open_tokenizer(options: Mapping[str, Any]) -> Tokenizer:
    """Open the tokenizer that the config's `tokenizer` section names: a file, or a repository.

    A Hugging Face repository is looked up in the local cache first, and only there if
    HF_HUB_OFFLINE=1. Raises ConfigError when the tokenizer cannot be opened.
    """
    file = expand_path(str(options["file"]), "tokenizer.file") if "file" in options else None
    try:
        if file is not None:
            return Tokenizer.from_file(file)
        return Tokenizer.from_pretrained(options["name"], revision=options["revision"])
    except Exception as error:  # the library raises nothing narrower
        reason = str(error).rstrip(".")
        if file is not None:
            raise ConfigError(
                f"tokenizer.file {options['file']} cannot be opened: {reason}. Set it to a "
                f"tokenizer.json of the tokenizers library{_how_to_convert(file)}"
            ) from error
        is_closed = re.search(r"gated|[Rr]estricted|\b40[13]\b|[Uu]nauthorized", reason)
        raise ConfigError(
            f"tokenizer.name {options['name']} cannot be opened: {reason}. "
            + (
                "Ask for access on its page, and log in with `hf auth login`"
                if is_closed
                else "Set it to a Hugging Face repository that has a tokenizer.json; check the "
                "network, or download it beforehand"
            )
        ) from error


def _how_to_convert(file: str) -> str:
    """Return the command for a SentencePiece model, which is another kind of file."""
    if not str(file).endswith((".model", ".spm")):
        return ""
    return (
        "; a SentencePiece model is another file. The repository that it comes from often has a "
        "tokenizer.json too, or convert it: `AutoTokenizer.from_pretrained(FOLDER)."
        "save_pretrained(FOLDER)` of the transformers library"
    )


def adopt_tokenizer(
    tokenizer: Tokenizer, end_of_document: str | None = None, *, output: str | Path
) -> None:
    """Write a given tokenizer so that each document ends in its end-of-document token.

    Its truncation, its padding and other tokens that it puts around a text are removed. Raises the
    ConfigError of `check_tokenizer`, and that of `with_own_end`.
    """
    end = check_tokenizer(tokenizer, end_of_document)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    _write_tokenizer(with_own_end(tokenizer, end), output)


def check_tokenizer(tokenizer: Tokenizer, end_of_document: str | None = None) -> str:
    """Return the token that ends documents.

    Raises ConfigError when there is no special token `end_of_document`, or, if that is None, none
    of the usual ones; and when the tokenizer cannot encode any text, or makes no token of it.
    """
    special = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
    wanted = _ENDS_OF_DOCUMENT if end_of_document is None else (end_of_document,)
    ends = [token for token in wanted if token in special]
    if not ends:
        raise ConfigError(
            f"the tokenizer has no special token {' or '.join(wanted)} to end documents with; its "
            f"special tokens are {', '.join(special) or 'none'}. Set tokenizer.end_of_document to "
            "one of these, or add one to the tokenizer"
        )
    try:
        found = tokenizer.encode(_PROBE, add_special_tokens=False).ids
    except Exception as error:  # the library raises nothing narrower
        raise ConfigError(
            f"the tokenizer cannot encode text such as {_PROBE!r}: {error}. Give one that encodes "
            "any text, such as a byte-level BPE"
        ) from error
    if not found:
        raise ConfigError(
            f"the tokenizer makes no token of text such as {_PROBE!r}. Give one that encodes any "
            "text, such as a byte-level BPE"
        )
    return ends[0]


def _write_tokenizer(tokenizer: Tokenizer, output: str | Path) -> None:
    with atomic_path(output) as temporary:
        temporary.write_text(tokenizer.to_str(pretty=True) + "\n", encoding="utf-8")
