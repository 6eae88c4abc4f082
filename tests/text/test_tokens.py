"""Tokenizer, token files, manifests, accounting: exact counts, exact bytes, named errors."""

import hashlib
import random
import shutil
from dataclasses import replace

import huggingface_hub.constants
import numpy as np
import pytest
from text_workplace import LOSES, SPECIAL, VOCABULARY_SIZE, Workplace, sentence
from tokenizers import Tokenizer, models, pre_tokenizers

from mixlaws.errors import ConfigError, DataError
from mixlaws.provenance import TEXT_VERSION
from mixlaws.text.accounting import Roles, accounting_table, contamination_table
from mixlaws.text.documents import read_record
from mixlaws.text.joining import join_shards
from mixlaws.text.tokenization import tokenize_shard
from mixlaws.text.tokenizer import (
    END_OF_DOCUMENT,
    adopt_tokenizer,
    make_tokenizer,
    open_tokenizer,
)
from mixlaws.text.tokens import (
    natural_shares,
    open_tokens,
    read_manifest,
    verify_tokens,
)


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


@pytest.mark.parametrize("kind", ["documents", "duplicates", "shard"])
def test_a_flipped_bit_in_what_tokens_are_made_of_is_named(workplace, kind):
    """In the pages, that is: what is read of them gives the same tokens or an error."""
    before = workplace.write("web", "train")[0].read_bytes()
    shard = workplace.folder / "shards/web/0.parquet"
    paths = {"documents": workplace.documents["web"][0], "duplicates": workplace.duplicates}
    path = paths.get(kind, shard)
    joined = workplace.folder / "again.bin"
    whole = path.read_bytes()
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    named = []
    for seed in range(30):
        damaged, draw = bytearray(whole), random.Random(seed)
        damaged[draw.randrange(4, len(whole) - footer)] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        try:
            if kind != "shard":
                work = (workplace.documents["web"], workplace.shards["web"][0])
                tokenize_shard(*work, workplace.duplicates, workplace.tokenizer, output=shard)
            join_shards([shard], split="train", tokens=joined, manifest=joined.with_suffix(".json"))
            assert joined.read_bytes() == before
        except DataError as error:
            named.append(str(error))
        finally:
            path.write_bytes(whole)
    assert len(named) >= 5  # the others hit columns that are not read
    assert all(f"{path} is damaged and cannot be read: " in text for text in named)


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
        "web": 64,
    }
    assert table.num_dropped_exact.sum() == 5
    assert table.num_dropped_other.sum() == 1
    assert table.role.tolist() == ["training"] * 4 + ["validation-only"]
    assert (table.tokens_per_document == table.num_tokens / table.num_documents_kept).all()
    shares = table.set_index(["domain", "split"]).natural_share
    assert shares["web", "train"] + shares["code", "train"] == pytest.approx(1)
    assert shares[:, "validation"].isna().all()


def test_the_accounting_says_why_documents_were_dropped_and_changed(tmp_path):
    caps = {"clean": ["control_characters"], "min_characters": 60, "max_tokens": 5000}
    workplace = Workplace(tmp_path, **caps)
    files = [workplace.write("web", split) for split in ("train", "validation")]
    table = accounting_table(files, training_domains=["web"])
    assert table.num_cleaned_control_characters.sum() == 1  # SPECIAL has a NUL
    assert table.num_cleaned_nfc.sum() == 0
    assert set(table.dropped_other) == {"", "empty: 1"}
    assert set(table["sample"]) == {"the first documents"}
    assert (table.num_documents_cut > 0).all()


def test_natural_shares_are_those_of_the_tokens_before_any_cap(workplace):
    manifest = read_manifest(workplace.write("web", "train")[1])
    web = replace(manifest, text_bytes_before_cap=3_000, num_bytes=200, num_tokens=100)
    code = replace(web, domain="code", text_bytes_before_cap=1_000, num_tokens=200)
    assert natural_shares([web, code]) == {"web": 0.6, "code": 0.4}
    with pytest.raises(
        DataError, match=r"whole source is unknown for code, and .* Remove max_bytes"
    ):
        natural_shares([web, replace(code, text_bytes_before_cap=None)])


def test_bytes_before_the_cap_leave_out_what_duplicates_took(workplace):
    manifest = read_manifest(workplace.write("web", "train")[1])
    record = read_record(workplace.documents["web"][0])
    kept = [read_manifest(workplace.write("web", split)[1]) for split in ("train", "validation")]
    assert manifest.text_bytes_before_cap == sum(each.num_bytes for each in kept)
    assert manifest.text_bytes_before_cap < record["text_bytes_before_cap"]


def test_equal_inputs_give_equal_bytes(workplace, tmp_path):
    workplace.train(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == workplace.tokenizer.read_bytes()
    tokens, manifest = workplace.write("web", "train")
    before = tokens.read_bytes(), manifest.read_bytes()
    workplace.write("web", "train")
    assert (tokens.read_bytes(), manifest.read_bytes()) == before


@pytest.mark.parametrize("near", ["all", "validation"])
@pytest.mark.parametrize(
    "sizes",
    [
        {"part_bytes": 1, "shard_bytes": 2_000},
        {"part_bytes": 10**9, "shard_bytes": 500},
        {"part_bytes": 9_000, "shard_bytes": 20_000},
    ],
)
def test_bytes_do_not_depend_on_parts_and_shards(tmp_path, near, sizes):
    whole = Workplace(tmp_path / "whole", near=near)
    divided = Workplace(tmp_path / "divided", near=near, sizes=sizes)
    assert len(divided.parts["web"]) * len(divided.shards["web"]) > 1
    assert divided.tokenizer.read_bytes() == whole.tokenizer.read_bytes()
    for expected, found in zip(whole.write_all(), divided.write_all(), strict=True):
        assert [path.read_bytes() for path in found] == [path.read_bytes() for path in expected]


def test_known_text_gives_known_bytes(tmp_path):
    """Another sum here means that TEXT_VERSION (mixlaws/provenance.py) must go up by one."""
    tokens, _ = Workplace(tmp_path).write("web", "train")
    assert TEXT_VERSION == 3
    assert hashlib.sha256(tokens.read_bytes()).hexdigest()[:12] == "865f553805bb"


def test_a_cap_keeps_whole_documents_from_the_start(tmp_path):
    whole = Workplace(tmp_path / "whole")
    capped = Workplace(
        tmp_path / "capped", max_tokens=5000, sizes={"part_bytes": 1, "shard_bytes": 4000}
    )
    shutil.copy(whole.tokenizer, capped.tokenizer)
    for split, limit in (("train", 3500), ("validation", 1500)):
        all_ids = whole.write("web", split)[0].read_bytes()
        tokens, path = capped.write("web", split)
        manifest = read_manifest(path)
        verify_tokens(tokens, manifest)
        assert all_ids.startswith(tokens.read_bytes())
        assert limit - 700 < manifest.num_tokens <= limit
        assert manifest.num_documents_cut > 0
        texts = whole.texts("web", split)[: manifest.num_documents]
        assert manifest.num_bytes == sum(len(text.encode()) for text in texts)


def test_a_cap_below_one_document(tmp_path):
    workplace = Workplace(tmp_path, max_tokens=250)
    with pytest.raises(
        DataError, match=r"'web': the validation split is empty .* max_tokens \(75 here\)"
    ):
        workplace.write("web", "validation")


def test_overlap_of_training_text_with_validation_text(workplace):
    manifests = [read_manifest(path) for _, path in workplace.write_all()]
    validation = [each for each in manifests if each.split == "validation"]
    table = contamination_table(workplace.duplicates, validation, Roles(["web", "code"]))
    assert len(table) == 3 * 2
    row = table[(table.validation_domain == "test") & (table.training_domain == "web")].iloc[0]
    test = next(each for each in validation if each.domain == "test")
    assert row.num_validation_documents == test.num_documents
    assert row.num_overlapping == row.num_removed_exact == row.share * test.num_documents > 0
    assert table[table.training_domain == "code"].num_overlapping.sum() == 0


def test_fingerprints_tell_what_differs(workplace, tmp_path):
    first = read_manifest(workplace.write("web", "train")[1]).fingerprint()
    other = Workplace(tmp_path, near="validation")
    second = read_manifest(other.write("web", "train")[1]).fingerprint()
    assert first | {"filter": second["filter"]} == second
    assert first["filter"] != second["filter"]
    assert first.pop("version") == str(TEXT_VERSION)
    assert all(len(digest) == 12 for digest in first.values())


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
        tokens, path = workplace.write("code", "validation", tokenizer=output, allowed=LOSES)
        manifest = read_manifest(path)
        assert manifest.end_of_document_id == 28
        assert manifest.vocabulary_size == 29
        verify_tokens(tokens, manifest)
        characters = sum(map(len, workplace.texts("code", "validation")))
        assert manifest.num_tokens == characters + manifest.num_documents

    def test_takes_the_end_of_document_that_is_named(self, given, tmp_path):
        output = tmp_path / "tokenizer.json"
        options = {"file": str(given("<s>", "</s>")), "end_of_document": "<s>"}
        make_tokenizer(options, documents={}, duplicates="", output=output)
        assert Tokenizer.from_file(str(output)).encode("").ids == [27]

    def test_a_name_comes_from_the_local_cache(self, given, tmp_path, monkeypatch):
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        repository = tmp_path / "hub/models--some--name"
        (repository / "snapshots/0a1b").mkdir(parents=True)
        (repository / "refs").mkdir()
        (repository / "refs/main").write_text("0a1b")
        shutil.copy(given("</s>"), repository / "snapshots/0a1b/tokenizer.json")
        output = tmp_path / "tokenizer.json"
        options = {"name": "some/name", "revision": "main"}
        make_tokenizer(options, documents={}, duplicates="", output=output)
        assert Tokenizer.from_file(str(output)).get_vocab_size() == 28
        with pytest.raises(ConfigError, match=r"tokenizer\.name other/name cannot be opened: "):
            open_tokenizer({"name": "other/name", "revision": "main"})

    def test_needs_an_end_of_document(self, given, tmp_path):
        tokenizer = Tokenizer.from_file(str(given("<s>")))
        with pytest.raises(
            ConfigError, match=r"no special token .* tokens are <s>\. Set tokenizer"
        ):
            adopt_tokenizer(tokenizer, output=tmp_path / "out.json")
        assert not (tmp_path / "out.json").exists()

    def test_must_be_one(self, tmp_path):
        (tmp_path / "bad.json").write_text("{}")
        with pytest.raises(
            ConfigError, match=r"tokenizer\.file .*bad\.json cannot be opened: .* Set it to a tok"
        ):
            open_tokenizer({"file": tmp_path / "bad.json"})

    def test_a_large_vocabulary_takes_four_bytes(self, workplace, tmp_path):
        vocabulary = {f"w{number}": number for number in range(70_000)}
        tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="w69999"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.add_special_tokens([END_OF_DOCUMENT])
        tokenizer.save(str(tmp_path / "given.json"))
        adopt_tokenizer(tokenizer, output=tmp_path / "tokenizer.json")
        output = tmp_path / "tokenizer.json"
        tokens, path = workplace.write("test", "validation", tokenizer=output, allowed=LOSES)
        manifest = read_manifest(path)
        ids = open_tokens(tokens, manifest)
        assert ids.dtype == np.uint32
        assert manifest.dtype == "uint32"
        assert ids.max() == manifest.end_of_document_id == 70_000


class TestErrors:
    def test_vocabulary_below_the_bytes(self, workplace, tmp_path):
        with pytest.raises(
            ConfigError, match=r"vocabulary_size is 256, too small .* Set it to 257"
        ):
            workplace.train(tmp_path / "t.json", vocabulary_size=256)

    def test_vocabulary_that_the_text_cannot_fill(self, workplace, tmp_path):
        with pytest.raises(
            DataError, match=r"gives a vocabulary of 350 .*vocabulary_size is 9,000"
        ):
            workplace.train(tmp_path / "t.json", vocabulary_size=9000)
        assert not (tmp_path / "t.json").exists()

    def test_split_that_duplicates_emptied(self, workplace):
        with pytest.raises(
            DataError, match=r"'test': the train split is empty after removing dupl"
        ):
            workplace.write("test", "train")
        assert not (workplace.folder / "joined/test/train.bin").exists()

    def test_token_file_of_another_size(self, workplace, tmp_path):
        tokens, path = workplace.write("web", "validation")
        manifest = read_manifest(path)
        damaged = tmp_path / "a.bin"
        damaged.write_bytes(tokens.read_bytes()[:-2])
        size = tokens.stat().st_size
        with pytest.raises(
            DataError, match=rf"has {size - 2:,} bytes; its manifest says {size:,} bytes"
        ):
            open_tokens(damaged, manifest)
        with pytest.raises(DataError, match=r"is missing; .* Delete both and rerun tokenization"):
            open_tokens(tmp_path / "b.bin", manifest)

    def test_token_file_that_was_changed(self, workplace, tmp_path):
        tokens, path = workplace.write("web", "validation")
        changed = bytearray(tokens.read_bytes())
        changed[10] ^= 1
        (tmp_path / "a.bin").write_bytes(changed)
        with pytest.raises(DataError, match=r"was changed after it was written: its sha256 is "):
            verify_tokens(tmp_path / "a.bin", read_manifest(path))

    def test_counts_that_do_not_add_up(self, workplace):
        tokens, path = workplace.write("web", "validation")
        manifest = read_manifest(path)
        wrong = replace(manifest, num_documents_read=manifest.num_documents_read + 1)
        with pytest.raises(DataError, match=r"but 14 were read and not dropped\. Delete both"):
            verify_tokens(tokens, wrong)

    def test_manifest_that_is_none(self, tmp_path):
        (tmp_path / "a.json").write_text('{"domain": "web"}')
        with pytest.raises(DataError, match=r"is not a manifest with domain, split, num_docu"):
            read_manifest(tmp_path / "a.json")
