"""Small domains for tests, which can be taken through all stages from text to token files."""

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from mixlaws.text.division import plan_parts, plan_shards
from mixlaws.text.documents import read_texts
from mixlaws.text.duplicates import dropped_ids, find_duplicates
from mixlaws.text.joining import join_shards
from mixlaws.text.reading import read_part
from mixlaws.text.tokenization import tokenize_shard
from mixlaws.text.tokenizer import END_OF_DOCUMENT, train_tokenizer
from mixlaws.text.tokens import Allowed, place_tokens, read_manifest

VOCABULARY_SIZE = 300
SPECIAL = f"This page writes {END_OF_DOCUMENT} in the middle, and 汉字 and \x00 too."


def sentence(number):
    words = np.random.default_rng(number).integers(0, 50, 80)
    return " ".join(f"word{word}" for word in words)


WHOLE = {"part_bytes": 10**9, "shard_bytes": 10**9}
KEEPS, LOSES = Allowed(), Allowed(1.0, 1.0)


class Workplace:
    """Two training domains and a validation domain, read, compared and with a tokenizer."""

    def __init__(self, folder: Path, *, sizes=WHOLE, near="all", **caps) -> None:
        self.folder = folder
        repeated = [sentence(7), sentence(8), " " + sentence(9)]
        texts = {
            "web": [*map(sentence, range(60)), SPECIAL, "", sentence(11), sentence(11) + " "],
            "code": [text.upper() for text in map(sentence, range(60, 100))],
            "test": [sentence(200), *repeated],
        }
        self.parts, self.documents, self.shards = {}, {}, {}
        for name, share in (("web", 0.3), ("code", 0.3), ("test", 1.0)):
            write_files(folder / "source" / name, texts[name])
            options = {"source": "files", "paths": [str(folder / f"source/{name}/*.jsonl")]} | caps
            self.parts[name] = plan_parts(name, options, part_bytes=sizes["part_bytes"])
            paths = [folder / f"{name}/{part.index}.parquet" for part in self.parts[name]]
            for part, path in zip(self.parts[name], paths, strict=True):
                read_part(name, options, part, validation_share=share, output=path)
            self.documents[name] = paths
            self.shards[name] = plan_shards(
                name, options, self.parts[name], shard_bytes=sizes["shard_bytes"]
            )
        self.duplicates = folder / "duplicates.parquet"
        find_duplicates(self.documents, near=near, output=self.duplicates)
        self.tokenizer = folder / "tokenizer.json"
        self.train(self.tokenizer)

    def train(self, output: Path, **options) -> None:
        chosen = {"vocabulary_size": VOCABULARY_SIZE, "max_bytes": 10**9} | options
        trained = {name: self.documents[name] for name in ("web", "code")}
        train_tokenizer(trained, self.duplicates, output=output, **chosen)

    def texts(self, domain: str, split: str) -> list[str]:
        found = []
        for part, path in enumerate(self.documents[domain]):
            dropped = dropped_ids(self.duplicates, domain, part)
            found += read_texts(path, split=split, dropped=dropped)
        return found

    def write(
        self, domain: str, split: str, *, tokenizer: Path | None = None, allowed: Allowed = KEEPS
    ) -> tuple[Path, Path]:
        shards = []
        for number, shard in enumerate(self.shards[domain]):
            shards.append(self.folder / f"shards/{domain}/{number}.parquet")
            documents = [self.documents[domain][part] for part in shard.parts]
            tokenizer = tokenizer or self.tokenizer
            tokenize_shard(documents, shard, self.duplicates, tokenizer, output=shards[-1])
        joined = self.folder / f"joined/{domain}/{split}.bin"
        manifest = joined.with_suffix(".json")
        join_shards(shards, split=split, tokens=joined, manifest=manifest, allowed=allowed)
        tokens = self.folder / f"tokens/{domain}/{split}.bin"
        manifest = tokens.with_suffix(".json")
        described = read_manifest(joined.with_suffix(".json"))
        place_tokens(joined, described, tokens=tokens, manifest=manifest)
        return tokens, manifest

    def write_all(self) -> list[tuple[Path, Path]]:
        splits = [("web", "train"), ("web", "validation"), ("code", "train")]
        splits += [("code", "validation"), ("test", "validation")]
        return [self.write(domain, split) for domain, split in splits]


def write_files(folder, texts, num_files=8):
    """Write the texts to several files, some of them empty-handed, in a known order."""
    folder.mkdir(parents=True)
    for number in range(num_files):
        lines = [json.dumps({"text": text}) + "\n" for text in texts[number::num_files]]
        (folder / f"{number}.jsonl").write_text("".join(lines))


def write_lines(path, texts, field="text"):
    """Write JSON lines with a text and a number each, packed as the name says; return the path."""
    lines = [json.dumps({field: text, "id": number}) for number, text in enumerate(texts)]
    data = "".join(f"{line}\n" for line in lines).encode()
    if path.suffix == ".zst":
        with pa.CompressedOutputStream(str(path), "zstd") as file:
            file.write(data)
    else:
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def texts_of(path, split=None):
    """Return the texts of a documents file, of both splits unless one is named."""
    splits = [split] if split else ["train", "validation"]
    return [text for each in splits for text in read_texts(path, split=each, dropped=())]
