"""Tokenizing real corpora twice, divided into different jobs, gives the same bytes."""

from dataclasses import asdict

import pytest

from mixlaws.text.accounting import accounting_table
from mixlaws.text.division import plan_parts, plan_shards
from mixlaws.text.documents import SPLITS
from mixlaws.text.duplicates import find_duplicates
from mixlaws.text.joining import join_shards
from mixlaws.text.reading import read_part
from mixlaws.text.tokenization import tokenize_shard
from mixlaws.text.tokenizer import train_tokenizer
from mixlaws.text.tokens import place_tokens, read_manifest

DOMAINS = ["arxiv", "book", "c4", "common_crawl", "stackexchange", "ubuntu_irc", "wikipedia"]


def tokenize(corpora, folder, *, shard_bytes, max_bytes):
    """Return the token files with their manifests, and the number of shards."""
    documents, shards = {}, {}
    for name in DOMAINS:
        options = {"source": "files", "paths": [str(corpora / f"{name}.jsonl.gz")]}
        options["max_bytes"] = max_bytes
        parts = plan_parts(name, options, part_bytes=2**30)
        documents[name] = [folder / f"text/{name}/{part.index}.parquet" for part in parts]
        for part, path in zip(parts, documents[name], strict=True):
            read_part(name, options, part, validation_share=0.1, output=path)
        shards[name] = plan_shards(name, options, parts, shard_bytes=shard_bytes)
    duplicates, tokenizer = folder / "duplicates.parquet", folder / "tokenizer.json"
    find_duplicates(documents, near="validation", output=duplicates)
    sizes = {"vocabulary_size": 8192, "max_bytes": 10_000_000}
    train_tokenizer(documents, duplicates, output=tokenizer, **sizes)
    found = []
    for name in DOMAINS:
        paths = []
        for number, shard in enumerate(shards[name]):
            paths.append(folder / f"shards/{name}/{number}.parquet")
            parts = [documents[name][part] for part in shard.parts]
            tokenize_shard(parts, shard, duplicates, tokenizer, output=paths[-1])
        for split in SPLITS:
            joined = folder / f"joined/{name}/{split}.bin"
            join_shards(paths, split=split, tokens=joined, manifest=joined.with_suffix(".json"))
            tokens = folder / f"tokens/{name}/{split}.bin"
            manifest = tokens.with_suffix(".json")
            described = read_manifest(joined.with_suffix(".json"))
            place_tokens(joined, described, tokens=tokens, manifest=manifest)
            found.append((tokens, manifest))
    return found, sum(map(len, shards.values()))


@pytest.mark.parametrize(
    "max_bytes",
    [
        pytest.param(1_500_000, marks=pytest.mark.slow),
        pytest.param(None, marks=[pytest.mark.slow, pytest.mark.full]),
    ],
)
def test_the_number_of_shards_changes_no_byte(corpora, tmp_path, max_bytes):
    whole, few = tokenize(corpora, tmp_path / "a", shard_bytes=2**30, max_bytes=max_bytes)
    divided, many = tokenize(corpora, tmp_path / "b", shard_bytes=400_000, max_bytes=max_bytes)
    assert few == len(DOMAINS) < 3 * few <= many
    for one, other in zip(whole, divided, strict=True):
        assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]
    table = accounting_table(divided, training_domains=DOMAINS)
    dropped = table["num_dropped_exact"] + table["num_dropped_near"] + table["num_dropped_other"]
    assert (table["num_documents_read"] == table["num_documents_kept"] + dropped).all()
    assert table["natural_share"].sum() == pytest.approx(1)
    share = table[table["split"] == "validation"]["num_documents_read"].sum()
    assert share / table["num_documents_read"].sum() == pytest.approx(0.1, abs=0.02)
    print(few, many, table.drop(columns=["sha256"]).to_string())
    assert [asdict(read_manifest(manifest))["domain"] for _, manifest in whole][::2] == DOMAINS
