"""Files that a config names are checked before any text is read."""

import copy
import json
from dataclasses import asdict

import pytest
import yaml
from fixture_counts import make_manifest
from tokenizers import Tokenizer, models

from mixlaws.config.complete import read_sections
from mixlaws.config.given import check_given_files
from mixlaws.errors import DataError


@pytest.fixture
def config(root, tmp_path):
    """Return the demo with one domain of token files and a tokenizer that is given."""
    found = copy.deepcopy(yaml.safe_load((root / "tests/config/whole.yaml").read_text()))
    found["tokenizer"] = {"file": str(tmp_path / "tokenizer.json")}
    found["domains"]["cpp"] = {"source": "tokens", "folder": str(tmp_path)}
    return found


def write_files(folder, tokenizer, *, train, validation):
    tokenizer.save(str(folder / "tokenizer.json"))
    for split, tokens in (("train", train), ("validation", validation)):
        (folder / f"{split}.bin").write_bytes(b"")
        record = asdict(make_manifest("cpp", split, tokens))
        (folder / f"{split}.json").write_text(json.dumps(record))


def test_a_tokenizer_and_token_files_that_cannot_serve_are_named_at_once(config, tmp_path):
    words = Tokenizer(models.WordLevel({"a": 0}, unk_token="?"))
    words.add_special_tokens(["<eos>"])
    write_files(tmp_path, words, train=128, validation=1000)
    with pytest.raises(DataError) as error:
        check_given_files(read_sections(config))
    lines = str(error.value).splitlines()
    assert lines[0] == "the files that the config names have 3 problems:"
    assert lines[1].startswith("  - tokenizer.file: the tokenizer cannot encode text such as 'The")
    assert lines[2:] == [
        "  - domains.cpp: the train split of its token files holds 0 of the 1 windows of 128 "
        "tokens. Name longer token files, or lower validation.num_windows or "
        "training.sequence_length",
        "  - domains.cpp: the validation split of its token files holds 7 of the 64 windows of "
        "128 tokens. Name longer token files, or lower validation.num_windows or "
        "training.sequence_length",
    ]


def test_a_tokenizer_without_an_end_of_document_is_named(config, tmp_path):
    write_files(tmp_path, Tokenizer(models.BPE({"T": 0}, [])), train=10**6, validation=10**6)
    with pytest.raises(DataError, match=r"tokenizer\.file: the tokenizer has no special token"):
        check_given_files(read_sections(config))


def test_files_that_serve_pass_and_token_files_may_come_later(config, tmp_path):
    letters = Tokenizer(models.BPE({"T": 0}, []))
    letters.add_special_tokens(["</s>"])
    write_files(tmp_path, letters, train=10**6, validation=10**6)
    check_given_files(read_sections(config))
    (tmp_path / "validation.json").unlink()
    check_given_files(read_sections(config))
