"""Tokenization: the tokenizer, trained or given, and documents written as token ids."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from mixlaws.documents import read_record, read_texts
from mixlaws.duplicates import dropped_ids
from mixlaws.errors import ConfigError, DataError
from mixlaws.runtime import atomic_path, file_sha256, write_json
from mixlaws.tokens import Manifest

END_OF_DOCUMENT = "<|endoftext|>"
# What widely used tokenizers call it (GPT-2 and NeoX, Llama 3, Llama 2 and T5, Gemma).
_ENDS_OF_DOCUMENT = (END_OF_DOCUMENT, "<|end_of_text|>", "</s>", "<eos>")
# Documents per call of the tokenizer: bounds the memory, and is enough work for its threads.
_BATCH_DOCUMENTS = 256
# 256 bytes and the end-of-document token.
_MIN_VOCABULARY_SIZE = 257
_COLUMNS = ["id", "split", "text"]


def make_tokenizer(
    options: Mapping[str, Any],
    *,
    documents: Mapping[str, str | Path],
    duplicates: str | Path,
    output: str | Path,
) -> None:
    """Train or adopt a tokenizer, as the config's `tokenizer` section says."""
    if "file" in options:
        adopt_tokenizer(options["file"], output=output)
    else:
        train_tokenizer(
            documents,
            duplicates,
            domains=list(documents),
            vocabulary_size=options["train"]["vocabulary_size"],
            output=output,
        )


def train_tokenizer(
    documents: Mapping[str, str | Path],
    duplicates: str | Path,
    *,
    domains: Sequence[str],
    vocabulary_size: int,
    output: str | Path,
) -> None:
    """Train a byte-level BPE on the training split of the named domains; write tokenizer.json.

    Equal documents give equal bytes. Raises ConfigError when `vocabulary_size` does not hold the
    256 bytes and the end-of-document token, DataError when the text is too short to fill it.
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
    tokenizer.train_from_iterator(_training_texts(documents, duplicates, domains), trainer)
    if tokenizer.get_vocab_size() < vocabulary_size:
        raise DataError(
            f"the training text of {', '.join(domains)} must fill a vocabulary of "
            f"{vocabulary_size:,}, but yields only {tokenizer.get_vocab_size():,} tokens: give "
            "more text or lower tokenizer.train.vocabulary_size"
        )
    _write_tokenizer(tokenizer, END_OF_DOCUMENT, output)


def _training_texts(
    documents: Mapping[str, str | Path], duplicates: str | Path, domains: Sequence[str]
) -> Iterator[str]:
    for domain in domains:
        dropped = dropped_ids(duplicates, domain, "train")
        yield from read_texts(documents[domain], split="train", dropped=dropped)


def adopt_tokenizer(file: str | Path, *, output: str | Path) -> None:
    """Write a given tokenizer.json as the workflow uses it: each document ends in one token.

    What the file says about truncation, padding and other tokens around a text is dropped. Raises
    ConfigError when the file cannot be read or knows none of the usual end-of-document tokens.
    """
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises nothing narrower
        raise ConfigError(
            f"tokenizer.file must be a tokenizer.json of the tokenizers library, but {file}: "
            f"{error}: check the path"
        ) from error
    special = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
    ends = [token for token in _ENDS_OF_DOCUMENT if token in special]
    if not ends:
        raise ConfigError(
            f"tokenizer.file must have one of the special tokens {', '.join(_ENDS_OF_DOCUMENT)} "
            f"to end documents with, but {file} has {', '.join(special) or 'none'}: add one"
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


def write_tokens(
    documents: str | Path,
    duplicates: str | Path,
    tokenizer: str | Path,
    *,
    split: str,
    tokens: str | Path,
    manifest: str | Path,
) -> None:
    """Write the token ids of one split of one domain's documents, flat, and the manifest.

    Ids are little-endian uint16, or uint32 for a vocabulary above 65,536. Text that spells a
    special token is encoded as the text that it is. Raises DataError when no document is left.
    """
    record = read_record(documents)
    dropped = dropped_ids(duplicates, record["domain"], split)
    encoder = _Encoder(tokenizer)
    with atomic_path(tokens) as temporary:
        counts = encoder.write(documents, temporary, split=split, dropped=dropped)
        if counts["num_documents"] == 0:
            raise DataError(
                f"domain {record['domain']!r} must have documents in its {split} split, but none "
                "is left without duplicates: give it more text or change validation.share"
            )
    found = Manifest(
        domain=record["domain"],
        split=split,
        **counts,
        **_drops(record["splits"][split], dropped),
        sha256=file_sha256(tokens),
        dtype=encoder.dtype.name,
        vocabulary_size=encoder.vocabulary_size,
        end_of_document_id=encoder.end_of_document_id,
        tokenizer_sha256=file_sha256(tokenizer),
        documents_sha256=record["sha256"],
        source_digest=record["source_digest"],
        text_bytes_before_cap=_bytes_before_cap(record, split, counts["num_bytes"]),
        text_bytes_before_cap_is_estimated=record["text_bytes_before_cap_is_estimated"],
    )
    write_json(asdict(found), manifest)


def _drops(split: Mapping[str, Any], duplicates: Mapping[str, str]) -> dict[str, int]:
    """Return the counts of a manifest from those of the reading and of the later comparison."""
    exact = split["dropped"].get("exact duplicate", 0)
    kinds = Counter(duplicates.values())
    return {
        "num_documents_read": split["num_documents_read"],
        "num_dropped_exact": exact + kinds["exact"],
        "num_dropped_near": kinds["near"],
        "num_dropped_other": sum(split["dropped"].values()) - exact,
    }


def _bytes_before_cap(record: Mapping[str, Any], split: str, num_bytes: int) -> int | None:
    """Return the record's bytes before the cap, less the share that duplicates took here."""
    before = record["text_bytes_before_cap"]
    if before is None:
        return None
    return round(before * num_bytes / record["splits"][split]["num_bytes"])


class _Encoder:
    """A tokenizer at work on documents files."""

    def __init__(self, path: str | Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.encode_special_tokens = True
        self.vocabulary_size = max(self._tokenizer.get_vocab().values()) + 1
        self.end_of_document_id: int = self._tokenizer.encode("").ids[-1]
        self.dtype = np.dtype(np.uint16 if self.vocabulary_size <= 2**16 else np.uint32)

    def write(
        self, documents: str | Path, path: Path, *, split: str, dropped: Container[str]
    ) -> dict[str, int]:
        """Write the ids of one split; return num_documents, num_bytes and num_tokens."""
        counts = {"num_documents": 0, "num_bytes": 0, "num_tokens": 0}
        # The library leaves locks behind even when it streams: they go with the folder.
        with tempfile.TemporaryDirectory() as cache, path.open("wb") as file:
            batches = datasets.load_dataset(
                "parquet",
                data_files=str(documents),
                split="train",
                streaming=True,
                columns=_COLUMNS,
                cache_dir=cache,
            ).map(
                self._encode,
                batched=True,
                batch_size=_BATCH_DOCUMENTS,
                remove_columns=_COLUMNS,
                fn_kwargs={"split": split, "dropped": dropped},
            )
            for batch in batches:
                file.write(batch["ids"])
                for name in counts:
                    counts[name] += batch[name]
        return counts

    def _encode(
        self, batch: Mapping[str, list[str]], *, split: str, dropped: Container[str]
    ) -> dict[str, list[Any]]:
        """Return one row for a whole batch: its ids as bytes, and its counts."""
        rows = zip(*(batch[name] for name in _COLUMNS), strict=True)
        texts = [text for key, part, text in rows if part == split and key not in dropped]
        encodings = self._tokenizer.encode_batch_fast(texts)
        ids = [np.asarray(encoding.ids, self.dtype.newbyteorder("<")) for encoding in encodings]
        return {
            "ids": [b"".join(array.tobytes() for array in ids)],
            "num_documents": [len(texts)],
            "num_bytes": [sum(len(text.encode()) for text in texts)],
            "num_tokens": [sum(map(len, ids))],
        }
