"""The plan of a trillion tokens: jobs, hours and disk from sizes alone."""

import pytest

from mixlaws.runs.text_cost import text_rows

TOKENIZATION = {
    "part_bytes": 2**30,
    "shard_bytes": 2**28,
    "read_speed": 8,
    "tokenize_speed": 3,
}


def plan(source, vocabulary_size=50_000):
    config = {"domains": {"web": source}, "validation": {"domains": {}}}
    return text_rows(config | {"tokenization": TOKENIZATION}, vocabulary_size)


def test_a_trillion_tokens_of_files_that_are_not_there_yet():
    source = {"source": "files", "paths": ["nowhere/*.jsonl.zst"]}
    row, total = plan(source | {"available_tokens": 10**12})
    assert row["counted_by"] == "available_tokens * 4"
    assert row["text_bytes"] == 4 * 10**12
    # A third of the text on disk, in parts of a GiB and four shards each.
    assert row["parts"] == 1242
    assert row["shards"] == 4 * 1242
    assert row["jobs"] == 5 * 1242 + 4
    assert row["read_hours"] == pytest.approx(4e12 / 8e6 / 3600)
    assert row["tokenize_hours"] == pytest.approx(4e12 / 3e6 / 3600)
    assert row["tokens_bytes"] == 2 * 10**12
    assert row["peak_bytes"] == row["documents_bytes"] + 4 * 10**12
    assert total["jobs"] == row["jobs"] + 3


def test_a_cap_and_a_large_vocabulary():
    source = {"source": "huggingface", "dataset": "x", "num_parts": 9, "max_tokens": 10**9}
    row, _ = plan(source, vocabulary_size=128_000)
    assert row["text_bytes"] == 8 * 10**9
    assert row["parts"] == 1
    assert row["shards"] == 30
    assert row["tokens_bytes"] == 4 * row["tokens"]


def test_files_that_are_there_are_measured(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"x" * 1000)
    (tmp_path / "b.jsonl.gz").write_bytes(b"x" * 1000)
    row, _ = plan({"source": "files", "paths": [str(tmp_path / "*")], "available_tokens": 10**12})
    assert row["text_bytes"] == 4000
    assert (row["parts"], row["shards"], row["counted_by"]) == (1, 1, "bytes of its files")


def test_what_nobody_knows_has_no_numbers():
    row, total = plan({"source": "huggingface", "dataset": "x", "num_parts": 1})
    assert row["counted_by"] == "unknown until it is read"
    assert row["text_bytes"] is None
    assert total["jobs"] == 3
