"""Tokenizer, token files, manifests, accounting: exact counts, exact bytes, named errors."""

import hashlib
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from mixlaws.documents import read_texts
from mixlaws.domains import domain_source, write_documents
from mixlaws.duplicates import dropped_ids, find_duplicates
from mixlaws.errors import ConfigError, DataError
from mixlaws.tokenization import (
    END_OF_DOCUMENT,
    adopt_tokenizer,
    make_tokenizer,
    train_tokenizer,
    write_tokens,
)
from mixlaws.tokens import (
    accounting_table,
    natural_shares,
    open_tokens,
    read_manifest,
    verify_tokens,
)

VOCABULARY_SIZE = 300
SPECIAL = f"This page writes {END_OF_DOCUMENT} in the middle, and 汉字 and \x00 too."


def sentence(number):
    words = np.random.default_rng(number).integers(0, 50, 80)
    return " ".join(f"word{word}" for word in words)


class Workplace:
    """Two training domains and a validation domain, read, compared and with a tokenizer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        repeated = [sentence(7), sentence(8), " " + sentence(9)]
        texts = {
            "web": [*map(sentence, range(60)), SPECIAL, ""],
            "code": [text.upper() for text in map(sentence, range(60, 100))],
            "test": [sentence(200), *repeated],
        }
        self.documents = {}
        for name, share in (("web", 0.3), ("code", 0.3), ("test", 1.0)):
            lines = [json.dumps({"text": text}) + "\n" for text in texts[name]]
            (folder / f"{name}.jsonl").write_text("".join(lines))
            options = {"source": "files", "paths": [str(folder / f"{name}.jsonl")]}
            self.documents[name] = folder / f"{name}.parquet"
            write_documents(
                domain_source(name, options, validation_share=share),
                documents=self.documents[name],
                record=folder / f"{name}.json",
            )
        self.duplicates = folder / "duplicates.parquet"
        find_duplicates(self.documents, output=self.duplicates)
        self.tokenizer = folder / "tokenizer.json"
        self.train(self.tokenizer)

    def train(self, output: Path, **options) -> None:
        chosen = {"domains": ["web", "code"], "vocabulary_size": VOCABULARY_SIZE} | options
        train_tokenizer(self.documents, self.duplicates, output=output, **chosen)

    def texts(self, domain: str, split: str) -> list[str]:
        dropped = dropped_ids(self.duplicates, domain, split)
        return list(read_texts(self.documents[domain], split=split, dropped=dropped))

    def write(self, domain: str, split: str, *, tokenizer: Path | None = None) -> tuple[Path, Path]:
        tokens = self.folder / f"tokens/{domain}/{split}.bin"
        manifest = tokens.with_suffix(".json")
        write_tokens(
            self.documents[domain],
            self.duplicates,
            tokenizer or self.tokenizer,
            split=split,
            tokens=tokens,
            manifest=manifest,
        )
        return tokens, manifest

    def write_all(self) -> list[tuple[Path, Path]]:
        splits = [("web", "train"), ("web", "validation"), ("code", "train")]
        splits += [("code", "validation"), ("test", "validation")]
        return [self.write(domain, split) for domain, split in splits]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    return Workplace(tmp_path_factory.mktemp("tokens"))


def decode(ids, manifest, tokenizer):
    """Return the documents that a token file spells."""
    ends = np.flatnonzero(ids == manifest.end_of_document_id)
    parts = np.split(ids, ends + 1)
    assert len(parts[-1]) == 0
    decoder = Tokenizer.from_file(str(tokenizer))
    return [decoder.decode(part[:-1].tolist(), skip_special_tokens=False) for part in parts[:-1]]


@pytest.mark.parametrize(("domain", "split"), [("web", "train"), ("test", "validation")])
def test_tokens_spell_the_documents_that_were_kept(workplace, domain, split):
    tokens, path = workplace.write(domain, split)
    manifest = read_manifest(path)
    texts = workplace.texts(domain, split)
    ids = open_tokens(tokens, manifest)
    assert decode(ids, manifest, workplace.tokenizer) == texts
    assert ids.dtype == np.uint16
    assert manifest.num_documents == len(texts)
    assert manifest.num_tokens == len(ids) == tokens.stat().st_size // 2
    assert manifest.num_bytes == sum(len(text.encode()) for text in texts)
    assert manifest.bytes_per_token == manifest.num_bytes / len(ids)
    assert manifest.sha256 == hashlib.sha256(tokens.read_bytes()).hexdigest()
    assert manifest.vocabulary_size == VOCABULARY_SIZE
    assert int(ids.max()) < VOCABULARY_SIZE


def test_text_that_spells_a_special_token_stays_text(workplace):
    split = "train" if SPECIAL in workplace.texts("web", "train") else "validation"
    tokens, path = workplace.write("web", split)
    manifest = read_manifest(path)
    ids = open_tokens(tokens, manifest)
    assert SPECIAL in decode(ids, manifest, workplace.tokenizer)
    assert np.count_nonzero(ids == manifest.end_of_document_id) == manifest.num_documents


def test_no_training_token_comes_from_a_validation_document(workplace):
    """A text that `test` repeats stays there, unless the validation split of `web` has it."""
    validation = set(workplace.texts("test", "validation"))
    assert {sentence(7), sentence(8), sentence(200)} <= validation | set(
        workplace.texts("web", "validation")
    )
    assert not validation & set(workplace.texts("web", "train"))


def test_every_read_document_is_kept_or_dropped(workplace):
    tokens = workplace.write_all()
    table = accounting_table(tokens, training_domains=["web", "code"])
    dropped = table.num_dropped_exact + table.num_dropped_near + table.num_dropped_other
    assert (table.num_documents_read == table.num_documents_kept + dropped).all()
    assert table.groupby("domain").num_documents_read.sum().to_dict() == {
        "code": 40,
        "test": 4,
        "web": 62,
    }
    assert table.num_dropped_exact.sum() == 3
    assert table.num_dropped_other.sum() == 1
    assert table.role.tolist() == ["training"] * 4 + ["validation-only"]
    assert (table.tokens_per_document == table.num_tokens / table.num_documents_kept).all()
    shares = table.set_index(["domain", "split"]).natural_share
    assert shares["web", "train"] + shares["code", "train"] == pytest.approx(1)
    assert shares[:, "validation"].isna().all()


def test_natural_shares_are_those_of_the_tokens_before_any_cap(workplace):
    manifest = read_manifest(workplace.write("web", "train")[1])
    web = replace(manifest, text_bytes_before_cap=3_000, num_bytes=200, num_tokens=100)
    code = replace(web, domain="code", text_bytes_before_cap=1_000, num_tokens=200)
    assert natural_shares([web, code]) == {"web": 0.6, "code": 0.4}
    with pytest.raises(DataError, match=r"the sources of code do not tell: drop max_bytes"):
        natural_shares([web, replace(code, text_bytes_before_cap=None)])


def test_bytes_before_the_cap_leave_out_what_duplicates_took(workplace):
    manifest = read_manifest(workplace.write("web", "train")[1])
    record = json.loads((workplace.folder / "web.json").read_text())
    kept = manifest.num_bytes / record["splits"]["train"]["num_bytes"]
    assert kept < 1
    assert manifest.text_bytes_before_cap == round(record["text_bytes_before_cap"] * kept)


def test_equal_inputs_give_equal_bytes(workplace, tmp_path):
    workplace.train(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == workplace.tokenizer.read_bytes()
    tokens, manifest = workplace.write("web", "train")
    before = tokens.read_bytes(), manifest.read_bytes()
    workplace.write("web", "train")
    assert (tokens.read_bytes(), manifest.read_bytes()) == before


def test_caches_of_the_library_are_temporary(workplace, tmp_path, monkeypatch):
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", home)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    tokens, _ = workplace.write("web", "train")
    assert not home.exists()
    assert list(temporary.iterdir()) == []
    assert {path.suffix for path in tokens.parent.iterdir()} == {".bin", ".json"}


class TestGivenTokenizers:
    @pytest.fixture
    def given(self, tmp_path):
        """A tokenizer with the given special tokens, which truncates and starts with another."""

        def write(*special):
            vocabulary = {chr(code): code - 97 for code in range(97, 123)} | {" ": 26}
            tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=" "))
            tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
            tokenizer.add_special_tokens(list(special))
            tokenizer.enable_truncation(4)
            tokenizer.save(str(tmp_path / "given.json"))
            return tmp_path / "given.json"

        return write

    def test_ends_documents_in_its_own_token(self, given, workplace, tmp_path):
        output = tmp_path / "tokenizer.json"
        options = {"file": str(given("<s>", "</s>"))}
        make_tokenizer(options, documents={}, duplicates=workplace.duplicates, output=output)
        tokens, path = workplace.write("code", "validation", tokenizer=output)
        manifest = read_manifest(path)
        assert manifest.end_of_document_id == 28
        assert manifest.vocabulary_size == 29
        verify_tokens(tokens, manifest)
        characters = sum(map(len, workplace.texts("code", "validation")))
        assert manifest.num_tokens == characters + manifest.num_documents

    def test_needs_an_end_of_document(self, given, tmp_path):
        with pytest.raises(ConfigError, match=r"one of the special .*, but .* has <s>: add one"):
            adopt_tokenizer(given("<s>"), output=tmp_path / "out.json")
        assert not (tmp_path / "out.json").exists()

    def test_must_be_one(self, tmp_path):
        (tmp_path / "bad.json").write_text("{}")
        with pytest.raises(ConfigError, match=r"must be a tokenizer\.json .* bad\.json|check the"):
            adopt_tokenizer(tmp_path / "bad.json", output=tmp_path / "out.json")

    def test_a_large_vocabulary_takes_four_bytes(self, workplace, tmp_path):
        vocabulary = {f"w{number}": number for number in range(70_000)}
        tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="w69999"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.add_special_tokens([END_OF_DOCUMENT])
        tokenizer.save(str(tmp_path / "given.json"))
        adopt_tokenizer(tmp_path / "given.json", output=tmp_path / "tokenizer.json")
        tokens, path = workplace.write("test", "validation", tokenizer=tmp_path / "tokenizer.json")
        manifest = read_manifest(path)
        ids = open_tokens(tokens, manifest)
        assert ids.dtype == np.uint32
        assert manifest.dtype == "uint32"
        assert ids.max() == manifest.end_of_document_id == 70_000


class TestErrors:
    def test_vocabulary_below_the_bytes(self, workplace, tmp_path):
        with pytest.raises(ConfigError, match=r"vocabulary_size must be at least 257, got 256"):
            workplace.train(tmp_path / "t.json", vocabulary_size=256)

    def test_vocabulary_that_the_text_cannot_fill(self, workplace, tmp_path):
        with pytest.raises(DataError, match=r"must fill a vocabulary of 9,000, but yields only"):
            workplace.train(tmp_path / "t.json", vocabulary_size=9000)
        assert not (tmp_path / "t.json").exists()

    def test_split_that_duplicates_emptied(self, workplace):
        with pytest.raises(DataError, match=r"'test' must have documents in its train split"):
            workplace.write("test", "train")
        assert not (workplace.folder / "tokens/test/train.bin").exists()

    def test_token_file_of_another_size(self, workplace, tmp_path):
        tokens, path = workplace.write("web", "validation")
        manifest = read_manifest(path)
        damaged = tmp_path / "a.bin"
        damaged.write_bytes(tokens.read_bytes()[:-2])
        size = tokens.stat().st_size
        with pytest.raises(DataError, match=rf"hold the {size:,} bytes .*but holds {size - 2:,}:"):
            open_tokens(damaged, manifest)
        with pytest.raises(DataError, match=r"but is missing: delete both and rerun write_tokens"):
            open_tokens(tmp_path / "b.bin", manifest)

    def test_token_file_that_was_changed(self, workplace, tmp_path):
        tokens, path = workplace.write("web", "validation")
        changed = bytearray(tokens.read_bytes())
        changed[10] ^= 1
        (tmp_path / "a.bin").write_bytes(changed)
        with pytest.raises(
            DataError, match=r"must have the sha256 of its manifest, .*: it was cha"
        ):
            verify_tokens(tmp_path / "a.bin", read_manifest(path))

    def test_counts_that_do_not_add_up(self, workplace):
        tokens, path = workplace.write("web", "validation")
        manifest = read_manifest(path)
        wrong = replace(manifest, num_documents_read=manifest.num_documents_read + 1)
        with pytest.raises(DataError, match=r"must hold as many documents as were read and not"):
            verify_tokens(tokens, wrong)

    def test_manifest_that_is_none(self, tmp_path):
        (tmp_path / "a.json").write_text('{"domain": "web"}')
        with pytest.raises(DataError, match=r"must be a manifest with domain, split, num_docu"):
            read_manifest(tmp_path / "a.json")
