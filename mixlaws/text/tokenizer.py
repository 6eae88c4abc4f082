"""Tokenizers: trained on the text, or given, and made to end each document in one token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from mixlaws.errors import ConfigError, DataError
from mixlaws.files import atomic_path
from mixlaws.text.documents import read_texts
from mixlaws.text.duplicates import dropped_ids

END_OF_DOCUMENT = "<|endoftext|>"
# What widely used tokenizers call it (GPT-2 and NeoX, Llama 3, Llama 2 and T5, Gemma).
_ENDS_OF_DOCUMENT = (END_OF_DOCUMENT, "<|end_of_text|>", "</s>", "<eos>")
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

    Each domain gives its first documents, an equal share of `max_bytes`: the order of the files is
    a fair sample. Equal documents give equal bytes. Raises ConfigError when `vocabulary_size` does
    not hold the 256 bytes and the end-of-document token, DataError when the text is too short to
    fill it.
    """
    if vocabulary_size < _MIN_VOCABULARY_SIZE:
        raise ConfigError(
            f"tokenizer.train.vocabulary_size must be at least {_MIN_VOCABULARY_SIZE}, got "
            f"{vocabulary_size}: all bytes and the end-of-document token need an id"
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
            f"the training text of {', '.join(documents)} must fill a vocabulary of "
            f"{vocabulary_size:,}, but yields only {tokenizer.get_vocab_size():,} tokens: give "
            "more text or lower tokenizer.train.vocabulary_size"
        )
    _write_tokenizer(tokenizer, END_OF_DOCUMENT, output)


def _training_texts(
    documents: Mapping[str, Sequence[str | Path]], duplicates: str | Path, max_bytes: int
) -> Iterator[str]:
    for domain, paths in documents.items():
        budget = max_bytes / len(documents)
        for text in _domain_texts(domain, paths, duplicates):
            budget -= len(text.encode())
            if budget < 0:
                break
            yield text


def _domain_texts(
    domain: str, paths: Sequence[str | Path], duplicates: str | Path
) -> Iterator[str]:
    for part, path in enumerate(paths):
        dropped = dropped_ids(duplicates, domain, part)
        yield from read_texts(path, split="train", dropped=dropped)


def open_tokenizer(options: Mapping[str, Any]) -> Tokenizer:
    """Open the tokenizer.json or the Hugging Face name of the config's `tokenizer` section.

    A name is looked up in the local cache first, and only there where the network is switched off
    (HF_HUB_OFFLINE=1). Raises ConfigError when it cannot be had.
    """
    try:
        if "file" in options:
            return Tokenizer.from_file(str(options["file"]))
        return Tokenizer.from_pretrained(options["name"], revision=options["revision"])
    except Exception as error:  # the library raises nothing narrower
        key = "file" if "file" in options else "name"
        what = "a tokenizer.json of the tokenizers library"
        if key == "name":
            what = "the name of a repository with a tokenizer.json that can be reached or is cached"
        raise ConfigError(
            f"tokenizer.{key} must be {what}, but {options[key]}: {error}: check the spelling, the "
            "file and the network"
        ) from error


def adopt_tokenizer(
    tokenizer: Tokenizer, end_of_document: str | None = None, *, output: str | Path
) -> None:
    """Write a given tokenizer as the workflow uses it: each document ends in one token.

    What it says about truncation, padding and other tokens around a text is dropped. Raises
    ConfigError when it lacks `end_of_document`, or, without one, all of the usual ones.
    """
    special = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
    wanted = _ENDS_OF_DOCUMENT if end_of_document is None else (end_of_document,)
    ends = [token for token in wanted if token in special]
    if not ends:
        raise ConfigError(
            f"the tokenizer must have one of the special tokens {', '.join(wanted)} to end "
            f"documents with, but has {', '.join(special) or 'none'}: name one of these as "
            "tokenizer.end_of_document, or add one to the tokenizer"
        )
    tokenizer.no_truncation()
    tokenizer.no_padding()
    _write_tokenizer(tokenizer, ends[0], output)


def _write_tokenizer(tokenizer: Tokenizer, end_of_document: str, output: str | Path) -> None:
    """Write the tokenizer with the end-of-document token as part of what encoding does."""
    identity = tokenizer.token_to_id(end_of_document)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {end_of_document}", special_tokens=[(end_of_document, identity)]
    )
    with atomic_path(output) as temporary:
        temporary.write_text(tokenizer.to_str(pretty=True) + "\n", encoding="utf-8")
