"""Given tokenizers: the end of a document is no text's, what is lost is measured, words are cut."""

import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
from text_workplace import Workplace
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from mixlaws.errors import ConfigError, DataError
from mixlaws.text.accounting import accounting_table
from mixlaws.text.ends import with_own_end
from mixlaws.text.fidelity import NUM_CHECKED, Sample, joined_sample
from mixlaws.text.joining import join_shards
from mixlaws.text.tokenization import tokenize_shard
from mixlaws.text.tokenizer import (
    MAX_WORD_CHARACTERS,
    adopt_tokenizer,
    cut_long_words,
    open_tokenizer,
)
from mixlaws.text.tokens import Allowed, read_manifest, verify_tokens

LETTERS = [chr(code) for code in range(33, 127)]


def unigram(*pieces, unknown="<unk>"):
    vocabulary = [(unknown, 0.0), *((piece, -1.0) for piece in pieces)]
    vocabulary += [("▁", -3.0), *((letter, -4.0) for letter in LETTERS)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def word_level(*words):
    vocabulary = {word: number for number, word in enumerate(["<unk>", *words, "a", "b"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


def word_piece(*words):
    pieces = ["[UNK]", *words, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    return tokenizer


def bpe(*words):
    """Byte-level, with merges that make each word from its letters."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = []
    for word in words:
        merges += [(word[:n], word[n]) for n in range(1, len(word))]
    pieces = [*alphabet, *(left + right for left, right in merges)]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


KINDS = {"Unigram": unigram, "WordLevel": word_level, "WordPiece": word_piece, "BPE": bpe}
ENDS = ["</s>", "[SEP]", "<|endoftext|>", "END"]
TEXTS = ["{0}", "a {0} b", "a{0}b", "x {0}\n{0}", "a", " {0}", "{0}{0}"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("in_vocabulary", [True, False])
@pytest.mark.parametrize("is_special", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_no_text_spells_the_end(kind, is_special, in_vocabulary, end):
    tokenizer = KINDS[kind](*([end] if in_vocabulary else []))
    add = tokenizer.add_special_tokens if is_special else tokenizer.add_tokens
    add([end])
    own = with_own_end(tokenizer, end)
    own.encode_special_tokens = True
    identity = own.token_to_id(end)
    for text in TEXTS:
        ids = own.encode(text.format(end)).ids
        assert ids[-1] == identity
        assert ids.count(identity) == 1, text
    # Read again it stays as it is.
    again = with_own_end(Tokenizer.from_str(own.to_str()), end)
    assert again.to_str() == own.to_str()


@pytest.mark.parametrize("kind", ["Unigram", "BPE"])
def test_text_that_spells_the_end_decodes_to_itself(kind):
    tokenizer = KINDS[kind]("</s>")
    tokenizer.add_special_tokens(["</s>"])
    own = with_own_end(tokenizer, "</s>")
    own.encode_special_tokens = True
    ids = own.encode("see </s> and <s>x</s>").ids[:-1]
    assert own.decode(ids, skip_special_tokens=False) == "see </s> and <s>x</s>"


def test_a_tokenizer_that_needs_no_change_keeps_its_ids():
    tokenizer = bpe()
    tokenizer.add_special_tokens(["<|endoftext|>"])
    before = tokenizer.get_vocab()
    assert with_own_end(tokenizer, "<|endoftext|>").get_vocab() == before


@pytest.mark.parametrize("end", ["end of text", "<end:text>", "$end", "$A", "a: b $0", "END"])
def test_any_name_can_end_a_document(tmp_path, end):
    tokenizer = bpe()
    tokenizer.add_special_tokens([end])
    adopt_tokenizer(tokenizer, end, output=tmp_path / "tokenizer.json")
    written = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert written.encode("").ids == [256]
    assert written.encode("ab").ids == [*tokenizer.encode("ab").ids, 256]


def test_an_end_that_is_also_the_unknown_token_gets_an_id_of_its_own():
    tokenizer = unigram(unknown="</s>")
    tokenizer.add_special_tokens(["</s>"])
    own = with_own_end(tokenizer, "</s>")
    ids = own.encode("a汉b").ids
    assert ids.count(own.token_to_id("</s>")) == 1
    assert 0 in ids


def test_a_normalizer_that_makes_the_end_is_no_way_around():
    """NFKC writes the full-width form of </s> as </s>."""
    tokenizer = unigram("</s>")
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.add_special_tokens(["</s>"])
    own = with_own_end(tokenizer, "</s>")
    own.encode_special_tokens = True
    assert own.encode("a＜/s＞b").ids.count(own.token_to_id("</s>")) == 1


def test_a_tokenizer_that_cannot_encode_is_named_when_it_is_read(tmp_path):
    tokenizer = Tokenizer(models.WordLevel({"a": 0}, unk_token="<unk>"))
    tokenizer.add_special_tokens(["</s>"])
    with pytest.raises(ConfigError, match=r"cannot encode text such as .* Give one that encodes"):
        adopt_tokenizer(tokenizer, output=tmp_path / "t.json")


def test_a_sentencepiece_model_gets_the_way_to_convert_it(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(b"\n\x0e\n\x05<unk>")
    with pytest.raises(ConfigError, match=r"a SentencePiece model is another file\. The repos"):
        open_tokenizer({"file": str(tmp_path / "tokenizer.model")})


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    return Workplace(tmp_path_factory.mktemp("fidelity"))


class TestFidelity:
    def write(self, workplace, folder, tokenizer, allowed=None):
        adopt_tokenizer(tokenizer, output=folder / "tokenizer.json")
        shard = folder / "shard.parquet"
        arguments = (workplace.documents["code"], workplace.shards["code"][0])
        tokenize_shard(*arguments, workplace.duplicates, folder / "tokenizer.json", output=shard)
        output = folder / "train.bin"
        options = {"allowed": allowed} if allowed else {}
        manifest = output.with_suffix(".json")
        join_shards([shard], split="train", tokens=output, manifest=manifest, **options)
        return output, manifest

    def test_a_tokenizer_that_keeps_everything(self, workplace):
        files = [workplace.write("web", split) for split in ("train", "validation")]
        for manifest in (read_manifest(each[1]) for each in files):
            assert manifest.num_unknown_tokens == manifest.num_documents_altered == 0
            assert manifest.num_documents_checked == min(manifest.num_documents, NUM_CHECKED)
        table = accounting_table(files, training_domains=["web"])
        assert table.unknown_share.tolist() == table.altered_share.tolist() == [0, 0]

    def test_unknown_tokens_are_counted_and_refused(self, workplace, tmp_path):
        """The domain's text is upper-case: of its letters W is unknown, one in ten tokens."""
        letters = [(letter, -1.0) for letter in ["▁", *"ORD0123456789"]]
        tokenizer = Tokenizer(models.Unigram([("<unk>", 0.0), *letters], unk_id=0))
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        tokenizer.add_special_tokens(["</s>"])
        with pytest.raises(DataError) as caught:
            self.write(workplace, tmp_path, tokenizer)
        texts = workplace.texts("code", "train")
        tokens = sum(len(text) + 1 + 1 for text in texts)  # a blank before, an end after
        unknown = sum(text.count("W") for text in texts)
        count = len(texts)
        assert str(caught.value) == (
            f"domain 'code': the tokenizer loses text of the train split: {unknown / tokens:.2%} "
            "of its tokens are unknown (tokenizer.max_unknown_share allows 0.10%); "
            f"{count} of {count} documents do not decode to themselves "
            "(tokenizer.max_altered_share allows 10%). Losses of such text mean nothing. Use a "
            "tokenizer that keeps it, such as a byte-level BPE, or raise the limit if what is lost "
            "does not matter"
        )
        assert not (tmp_path / "train.json").exists()
        files = self.write(workplace, tmp_path, tokenizer, Allowed(0.2, 1.0))
        manifest = read_manifest(files[1])
        assert manifest.num_unknown_tokens == unknown
        assert manifest.num_tokens == tokens
        assert manifest.num_documents_altered == manifest.num_documents_checked == count
        table = accounting_table([files], training_domains=["code"])
        assert table.unknown_share.tolist() == [unknown / tokens]
        assert table.altered_share.tolist() == [1.0]

    @pytest.mark.parametrize(
        "normalizer", [normalizers.Lowercase(), normalizers.Replace("WORD", "")]
    )
    def test_text_that_is_changed_is_refused(self, workplace, tmp_path, normalizer):
        tokenizer = bpe()
        tokenizer.normalizer = normalizer
        tokenizer.add_special_tokens(["</s>"])
        with pytest.raises(DataError, match=r"'code': .* split: \d+ of \d+ documents do not dec"):
            self.write(workplace, tmp_path, tokenizer)

    def test_the_sample_does_not_depend_on_shards(self):
        names = [f"{number:016x}" for number in np.random.default_rng(0).permutation(1000)]
        kept = {name: int(name, 16) % 3 > 0 for name in names}
        samples = []
        for start in range(0, 1000, 100):
            sample = Sample()
            for name in names[start : start + 100]:
                sample.add(name, lambda name=name: kept[name])
            samples.append(sample.checked)
        assert joined_sample(samples) == [number % 3 > 0 for number in range(NUM_CHECKED)]

    def test_a_tokenizer_that_writes_the_end_inside_is_named(self, workplace, tmp_path):
        """Tokenizers of this workflow do not; one that was changed by hand may."""
        tokenizer = word_level("</s>")
        tokenizer.add_special_tokens(["</s>"])
        adopt_tokenizer(tokenizer, output=tmp_path / "tokenizer.json")
        text = (tmp_path / "tokenizer.json").read_text()
        changed = Tokenizer.from_str(text)
        end = changed.token_to_id("</s>")
        text = text.replace('"unk_token": "<unk>"', '"unk_token": "</s>"')
        text = text.replace('"</s> as text"', '"</s>"').replace(f'"id": {end}', '"id": 1')
        (tmp_path / "tokenizer.json").write_text(text.replace(f"{end}\n", "1\n"))
        arguments = (workplace.documents["code"], workplace.shards["code"][0])
        with pytest.raises(DataError, match=r"its end-of-document token inside document [0-9a-f]+"):
            tokenize_shard(
                *arguments,
                workplace.duplicates,
                tmp_path / "tokenizer.json",
                output=tmp_path / "shard.parquet",
            )


class TestLongWords:
    @pytest.mark.parametrize("blank", [" ", "\n", "\u3000"])
    def test_are_cut(self, blank):
        n = MAX_WORD_CHARACTERS
        text = f"start {blank * 3 * n}end {'acgt' * n} {'x' * n} y"
        pieces = cut_long_words(text)
        assert "".join(pieces) == text
        assert max(len(word) for piece in pieces for word in piece.split()) <= n
        assert cut_long_words("x" * n + " " * n) == ["x" * n + " " * n]
        assert cut_long_words("") == [""]

    def test_cost_no_square(self):
        """Training on 400 KB of blanks took 57 s; cut, it takes less than one."""
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(vocab_size=300, show_progress=False)
        began = time.process_time()
        text = "start " + " " * 400_000 + "acgt" * 50_000
        tokenizer.train_from_iterator(cut_long_words(text), trainer)
        assert time.process_time() - began < 10


def test_a_file_of_an_earlier_experiment_with_ends_inside_is_named(workplace, tmp_path):
    tokens, path = workplace.write("web", "train")
    manifest = read_manifest(path)
    copy = tmp_path / "train.bin"
    shutil.copy(tokens, copy)
    first = int(np.fromfile(copy, np.uint16)[0])
    with pytest.raises(DataError, match=r"its tokenizer writes that token inside documents too"):
        verify_tokens(copy, replace(manifest, end_of_document_id=first))
