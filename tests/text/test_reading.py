"""From any source to documents: splits, caps, drops, duplicates, errors with their remedy."""

import json
import os
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from text_workplace import texts_of, write_lines

from mixlaws.errors import ConfigError, DataError
from mixlaws.tables import write_table
from mixlaws.text.checks import check_domain
from mixlaws.text.cleaning import clean_problem
from mixlaws.text.division import plan_parts
from mixlaws.text.documents import document_id, read_columns, read_record, read_texts, split_of
from mixlaws.text.duplicates import dropped_ids, find_duplicates
from mixlaws.text.minhash import _words, signatures
from mixlaws.text.parts import Part, part_from_param
from mixlaws.text.sources import make_text_source
from mixlaws.text.sources.files import FilesSource


def sentence(number, num_words=60):
    words = np.random.default_rng(number).integers(0, 5000, num_words)
    return " ".join(f"word{word}" for word in words)


@pytest.mark.parametrize(
    "suffix",
    [
        ".txt",
        ".jsonl",
        ".jsonl.gz",
        ".jsonl.zst",
        ".json.gz",
        ".parquet",
        ".arrow",
        ".stream.arrow",
    ],
)
def test_every_kind_of_file_gives_the_same_documents(read, tmp_path, suffix):
    texts = [f"{sentence(number)} — ü" for number in range(40)]
    if suffix == ".txt":
        for number, text in enumerate(texts):
            (tmp_path / f"{number}.txt").write_text(text, encoding="utf-8")
    elif suffix == ".parquet":
        pq.write_table(pa.table({"id": range(40), "text": texts}), tmp_path / "a.parquet")
    elif suffix.endswith(".arrow"):
        table = pa.table({"id": range(40), "text": texts})
        new = pa.ipc.new_stream if "stream" in suffix else pa.ipc.new_file
        with new(str(tmp_path / f"a{suffix}"), table.schema) as writer:
            writer.write_table(table, max_chunksize=7)
    else:
        write_lines(tmp_path / f"a{suffix}", texts)
    record, path = read(source="files", paths=[str(tmp_path / f"*{suffix}")])
    assert sorted(texts_of(path)) == sorted(texts)
    counts = {split: record["splits"][split]["num_documents"] for split in record["splits"]}
    assert counts == Counter(split_of(document_id(text), 0.1) for text in texts)
    assert record["text_bytes_before_cap"] == sum(len(text.encode()) for text in texts)
    assert not record["text_bytes_before_cap_is_estimated"]


def test_split_is_a_function_of_the_text_and_honours_the_share():
    ids = [document_id(sentence(number, 8)) for number in range(4000)]
    share = np.mean([split_of(each, 0.25) == "validation" for each in ids])
    assert share == pytest.approx(0.25, abs=0.02)
    assert {split_of(each, 1.0) for each in ids} == {"validation"}
    larger = [split_of(each, 0.3) for each in ids]
    assert all(
        new == "validation"
        for each, new in zip(ids, larger, strict=True)
        if split_of(each, 0.25) == "validation"
    )
    assert document_id("a  b\n\tc ") == document_id("a b c") != document_id("a b d")


def test_added_files_move_no_document(read, tmp_path):
    write_lines(tmp_path / "a.jsonl", map(sentence, range(50)))
    _, path = read(source="files", paths=[str(tmp_path / "*.jsonl")])
    before = {split: set(texts_of(path, split)) for split in ("train", "validation")}
    write_lines(tmp_path / "b.jsonl", map(sentence, range(50, 90)))
    _, path = read(source="files", paths=[str(tmp_path / "*.jsonl")])
    for split, texts in before.items():
        assert texts < set(texts_of(path, split))


def test_empty_and_repeated_documents_are_dropped_and_counted(read, tmp_path):
    texts = [sentence(number) for number in range(40)]
    write_lines(tmp_path / "a.jsonl", [*texts, "", "  \n", None, texts[0], texts[1].upper()])
    record, path = read(source="files", paths=[str(tmp_path / "a.jsonl")])
    assert len(texts_of(path)) == 41
    splits = record["splits"].values()
    assert sum(split["num_documents_read"] for split in splits) == 45
    assert sum((Counter(split["dropped"]) for split in splits), Counter()) == {
        "empty": 3,
        "exact duplicate": 1,
    }
    for split in splits:
        dropped = sum(split["dropped"].values())
        assert split["num_documents"] + dropped == split["num_documents_read"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_cap_stops_early_and_estimates_the_whole(read, tmp_path, name):
    # Random digits: gzip's buffer must not hold the whole file at once.
    generator = np.random.default_rng(0)
    texts = [" ".join(map(str, generator.integers(0, 10**9, 60))) for _ in range(3000)]
    write_lines(tmp_path / name, texts)
    whole = sum(map(len, texts))
    record, path = read(source="files", paths=[str(tmp_path / name)], max_bytes=400_000)
    num_bytes = sum(len(text) for text in texts_of(path))
    assert 400_000 <= num_bytes < 401_000
    assert record["text_bytes_before_cap_is_estimated"]
    assert record["text_bytes_before_cap"] == pytest.approx(whole, rel=0.2)


def test_a_cap_says_what_it_kept(read, tmp_path):
    """Of many files some whole ones; of one file its start, which is no sample if it is sorted."""
    for number in range(40):
        write_lines(tmp_path / f"{number}.jsonl", [sentence(number, 4000)])
    one = write_lines(tmp_path / "one.jsonl.gz", [str(n) * 900 for n in range(2000)])
    for paths, cap, words in (
        ("[0-9]*.jsonl", 100_000, "4 of 40 files, the start of the last"),
        (one.name, 100_000, "1 of 1 file, its start"),
        (one.name, None, ""),
    ):
        record, _ = read(source="files", paths=[str(tmp_path / paths)], max_bytes=cap, share=1.0)
        assert record["sample"] == words


class TestCleaning:
    TEXTS = ("cafe\u0301 au lait", "caf\u00e9 au lait", "a\x00b\x07c\td\r\ne\x9ff", "ab", "x" * 99)

    def read(self, read, tmp_path, **options):
        write_lines(tmp_path / "a.jsonl", self.TEXTS)
        record, path = read(source="files", paths=[str(tmp_path / "a.jsonl")], share=1.0, **options)
        split = record["splits"]["validation"]
        return texts_of(path), split["cleaned"], split["dropped"]

    def test_is_off_by_default(self, read, tmp_path):
        assert self.read(read, tmp_path) == (list(self.TEXTS), {}, {})

    def test_composed_forms_make_equal_texts_equal(self, read, tmp_path):
        texts, cleaned, dropped = self.read(read, tmp_path, clean=["nfc"])
        assert texts == [self.TEXTS[1], *self.TEXTS[2:]]
        assert (cleaned, dropped) == ({"nfc": 1}, {"exact duplicate": 1})

    def test_control_characters_go_but_for_ends_of_line(self, read, tmp_path):
        texts, cleaned, dropped = self.read(read, tmp_path, clean=["control_characters"])
        assert texts[2] == "abc\td\r\nef"
        assert (cleaned, dropped) == ({"control_characters": 1}, {})

    def test_lengths_are_those_of_the_cleaned_text(self, read, tmp_path):
        steps = ["control_characters", "nfc"]
        texts, cleaned, dropped = self.read(
            read, tmp_path, clean=steps, min_characters=10, max_characters=98
        )
        assert texts == [self.TEXTS[1]]
        assert cleaned == {"control_characters": 1, "nfc": 1}
        assert dropped == {
            "above max_characters": 1,
            "below min_characters": 2,
            "exact duplicate": 1,
        }

    @pytest.mark.parametrize("value", ["nfc", ["nfd"]])
    def test_other_steps_are_refused(self, value):
        words = f"must be a list of nfc, control_characters, found {value!r}"
        assert clean_problem(value) == words


def test_a_cap_that_is_not_reached_estimates_nothing(read, tmp_path):
    write_lines(tmp_path / "a.jsonl", map(sentence, range(40)))
    size = sum(len(sentence(number)) for number in range(40))
    record, _ = read(source="files", paths=[str(tmp_path / "a.jsonl")], max_bytes=size)
    assert record["text_bytes_before_cap"] == size
    assert not record["text_bytes_before_cap_is_estimated"]


def test_a_validation_domain_is_all_validation(read, tmp_path):
    write_lines(tmp_path / "a.jsonl", map(sentence, range(5)))
    record, _ = read(share=1.0, source="files", paths=[str(tmp_path / "a.jsonl")])
    assert record["splits"]["validation"]["num_documents"] == 5
    assert record["splits"]["train"]["num_documents_read"] == 0


def test_output_bytes_do_not_depend_on_the_folder(read, tmp_path):
    contents = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for part in range(4):
            write_lines(
                tmp_path / folder / f"part-{part}.jsonl",
                map(sentence, range(9 * part, 9 * part + 9)),
            )
        _, path = read(source="files", paths=[str(tmp_path / folder / "*.jsonl")])
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize("streaming", [False, True])
def test_a_hugging_face_folder(read, tmp_path, monkeypatch, streaming):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "data").mkdir()
    texts = [sentence(number) for number in range(40)]
    write_lines(tmp_path / "data/train.jsonl", texts, field="content")
    options = {
        "source": "huggingface",
        "dataset": str(tmp_path / "data"),
        "text_field": "content",
        "streaming": streaming,
    }
    record, path = read(**options)
    assert sorted(texts_of(path)) == sorted(texts)
    assert record["text_bytes_before_cap"] == sum(map(len, texts))
    capped, _ = read(**options, max_bytes=len(texts[0]) * 20)
    if streaming:
        assert capped["text_bytes_before_cap"] is None
    else:
        assert capped["text_bytes_before_cap"] == pytest.approx(sum(map(len, texts)), rel=0.1)
    with pytest.raises(DataError, match=r"has no field 'text'; its fields are content, id\. Set"):
        read(**options | {"text_field": "text"})
    with pytest.raises(DataError, match=r"split 'tset'\) cannot be read: .* Check the spell"):
        read(**options | {"split": "tset"})


def test_a_hugging_face_dataset_that_is_nowhere(fails, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    message = fails(source="huggingface", dataset=str(tmp_path / "nowhere"))
    assert message.startswith(f"domain 'web': dataset '{tmp_path}/nowhere' (subset None")


class TestErrorsOfFiles:
    def test_no_match(self, fails, tmp_path):
        message = fails(source="files", paths=[str(tmp_path / "*.jsonl")])
        assert "domain 'web': no file matches" in message
        assert "*.jsonl' in paths. Check the spelling; relative paths start at" in message

    def test_missing_field(self, fails, tmp_path):
        path = write_lines(tmp_path / "a.jsonl", ["x"], field="body")
        message = fails(source="files", paths=[str(path)])
        assert message == (
            f"domain 'web': {path}, line 1 has no field 'text'; its fields are body, id. "
            "Set text_field, or correct filter"
        )

    def test_missing_column(self, fails, tmp_path):
        pq.write_table(pa.table({"body": ["x"]}), tmp_path / "a.parquet")
        message = fails(source="files", paths=[str(tmp_path / "a.parquet")])
        assert "a.parquet has no field 'text'; its fields are body. Set text_field" in message

    def test_field_that_is_no_text(self, fails, tmp_path):
        path = write_lines(tmp_path / "a.jsonl", ["x"])
        message = fails(source="files", paths=[str(path)], text_field="id")
        assert (
            f"field 'id' of {path}, line 1 is not text but of type int. Set text_field" in message
        )

    def test_bad_line(self, fails, tmp_path):
        path = write_lines(tmp_path / "a.jsonl", ["x", "y"])
        path.write_text(path.read_text() + '\n{"text": "cut o')
        message = fails(source="files", paths=[str(path)])
        assert f"{path}, line 4 is not valid JSON: Unterminated string" in message
        assert "at column 10. Repair the line, remove it, or set" in message

    def test_line_that_is_no_object(self, fails, tmp_path):
        (tmp_path / "a.jsonl").write_text("[1, 2]\n")
        message = fails(source="files", paths=[str(tmp_path / "a.jsonl")])
        assert "line 1 is not a JSON object but [1, 2]. Repair" in message

    def test_line_that_is_not_utf8(self, fails, tmp_path):
        (tmp_path / "a.jsonl").write_bytes(b'{"text": "caf\xe9"}\n')
        message = fails(source="files", paths=[str(tmp_path / "a.jsonl")])
        assert "a.jsonl, line 1 is not UTF-8: byte 14 is 0xe9. Convert" in message

    def test_text_that_is_not_utf8(self, fails, tmp_path):
        (tmp_path / "a.txt").write_bytes(b"caf\xe9")
        message = fails(source="files", paths=[str(tmp_path / "a.txt")])
        assert "a.txt is not UTF-8: byte 4 is 0xe9. Convert the file" in message

    def test_truncated_gzip(self, fails, tmp_path):
        path = write_lines(tmp_path / "a.jsonl.gz", map(sentence, range(99)))
        path.write_bytes(path.read_bytes()[:-500])
        message = fails(source="files", paths=[str(path)])
        assert f"{path} is not a complete gzip file: Compressed file ended" in message

    def test_parquet_that_is_none(self, fails, tmp_path):
        (tmp_path / "a.parquet").write_text("text")
        message = fails(source="files", paths=[str(tmp_path / "a.parquet")])
        assert (
            "a.parquet is not Parquet but plain text. Rename it, to .jsonl if it holds" in message
        )

    def test_truncated_zstandard(self, fails, tmp_path):
        path = write_lines(tmp_path / "a.jsonl.zst", map(sentence, range(99)))
        path.write_bytes(path.read_bytes()[:-500])
        message = fails(source="files", paths=[str(path)])
        assert f"{path} is not a complete Zstandard file: Truncated compressed" in message

    def test_half_a_surrogate_pair(self, fails, tmp_path):
        (tmp_path / "a.jsonl").write_text('{"text": "a\\ud800"}\n')
        message = fails(source="files", paths=[str(tmp_path / "a.jsonl")])
        assert "a.jsonl, line 1 is not valid Unicode: character 2 is half of" in message

    def test_a_file_that_grew_since_the_plan(self, fails, tmp_path):
        path = write_lines(tmp_path / "a.jsonl", map(sentence, range(9)))
        (part,) = plan_parts("web", {"source": "files", "paths": [str(path)]}, part_bytes=10**9)
        size = path.stat().st_size
        with path.open("a") as file:
            file.write("{}\n")
        message = fails(source="files", paths=[str(path)], part=part)
        assert f"{path} has changed: it had {size:,} bytes when the run was planned and" in message
        assert f"has {size + 3:,} now. Wait until nothing writes to it" in message

    @pytest.mark.parametrize("how", ["moved", "written"])
    def test_a_file_that_was_replaced_by_one_of_its_size(self, fails, read, tmp_path, how):
        path = write_lines(tmp_path / "a.jsonl", map(sentence, range(90)))
        options = {"source": "files", "paths": [str(path)]}
        (planned,) = plan_parts("web", options, part_bytes=10**9)
        # As Snakemake hands a part to its job: the stamps are a param of their own.
        part = part_from_param(planned.as_param()).stamped(planned.stamps())
        read(**options, part=part)
        (tmp_path / "out/web.parquet").unlink()
        other, before = path.read_text().replace("word1", "word2"), path.stat()
        if how == "moved":
            (tmp_path / "b.jsonl").write_text(other)
            (tmp_path / "b.jsonl").replace(path)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        else:
            path.write_text(other)
        assert path.stat().st_size == before.st_size
        assert fails(**options, part=part) == (
            f"domain 'web': {path} was replaced or written to since the run was planned, although "
            "its size is the same. Wait until nothing writes to it, and run again"
        )

    def test_a_file_that_grows_while_it_is_read(self, tmp_path):
        path = write_lines(tmp_path / "a.jsonl", map(sentence, range(9)))
        texts = FilesSource(paths=[str(path)]).open(Part()).texts
        next(texts)
        with path.open("a") as file:
            file.write("\n")
        with pytest.raises(DataError, match=r"a\.jsonl has changed: it had"):
            list(texts)

    def test_zero_documents(self, fails, tmp_path):
        path = write_lines(tmp_path / "a.jsonl", ["", " "])
        message = fails(source="files", paths=[str(path)])
        assert f"no document was found in {path.name} (dropped: " in message
        assert "'empty': 2" in message

    def test_empty_validation_split(self, fails, tmp_path):
        path = write_lines(tmp_path / "a.jsonl", map(sentence, range(4)))
        message = fails(source="files", paths=[str(path)], share=0.0001)
        assert "the validation split is empty: 4 documents (a.jsonl) at validation.share" in message
        assert "validation.share 0.0001. Give the domain more documents" in message

    def test_parts_that_leave_a_split_empty_together(self, read, tmp_path):
        paths = []
        for number in range(2):
            path = write_lines(tmp_path / f"{number}.jsonl", map(sentence, range(4)))
            options = {"source": "files", "paths": [str(path)]}
            _, path = read(share=1e-4, part=Part((), number, 2), **options)
            paths.append(path)
        with pytest.raises(DataError, match=r"'web': the validation split is empty: 8 documents"):
            check_domain(paths)

    def test_unknown_suffix(self, read, tmp_path):
        (tmp_path / "a.csv").write_text("text")
        with pytest.raises(
            ConfigError, match=r"csv, which is not in a known format\. Narrow .* end in \.txt, \.js"
        ):
            read(source="files", paths=[str(tmp_path / "a.csv")])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "web"}, "domain 'd': unknown source 'web'. Set source to one of embedded, fil"),
        ({}, "domain 'd': unknown source None. Set source to one of embedded, files, huggingface"),
        ({"source": "tokens", "folder": "a"}, "source 'tokens' has no text to read. Set source to"),
        (
            {"source": "embedded", "harvest": "java"},
            "domain 'd': unknown harvest 'java'. Set harvest to one of python, docs, cpp, tests",
        ),
        (
            {"source": "files"},
            "domain 'd': 'paths' is missing. The keys of source 'files' are paths, text_field, ",
        ),
        (
            {"source": "files", "paths": ["a"], "path": "b"},
            "domain 'd': unknown key 'path'. The keys .* clean, min_.*; required: paths",
        ),
    ],
)
def test_options_that_do_not_fit(options, message):
    with pytest.raises(ConfigError, match=message):
        make_text_source("d", options)


class TestFilters:
    @pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
    def test_keep_what_is_true(self, read, tmp_path, suffix):
        rows = [{"text": sentence(n), "lang": "en" if n % 2 else "de", "q": n} for n in range(60)]
        if suffix == ".jsonl":
            (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        else:
            pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
        record, path = read(
            source="files",
            paths=[str(tmp_path / f"a{suffix}")],
            filter="lang == 'en' and q >= 10 and len(text) > 5",
        )
        assert sorted(texts_of(path)) == sorted(row["text"] for row in rows[11::2])
        dropped = sum(split["dropped"].get("filtered", 0) for split in record["splits"].values())
        assert dropped == 60 - 25

    @pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
    def test_a_null_is_missing(self, read, tmp_path, suffix):
        """A record whose text or filtered field is null is dropped and counted; no filter fails."""
        rows = [{"text": sentence(n), "q": n / 10, "meta": {"lang": "en"}} for n in range(20)]
        rows += [{"text": None, "q": 0.9, "meta": {"lang": "en"}}]
        rows += [{"text": sentence(20), "q": None, "meta": {"lang": "en"}}]
        rows += [{"text": sentence(21), "q": 1.5, "meta": {"lang": None}}]
        rows += [{"text": sentence(22), "q": 1.5, "meta": None}]
        if suffix == ".jsonl":
            (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        else:
            pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
        options = {"source": "files", "paths": [str(tmp_path / f"a{suffix}")]}
        words = "len(text) > 9 and meta['lang'] == 'en' and q > .55"
        for expression, kept, dropped in (
            (words, 14, {"empty": 1, "null in filter": 3, "filtered": 6}),
            ("not q > .55", 6, {"empty": 1, "null in filter": 1, "filtered": 16}),
            ("meta['lang'] in ['en', 'de']", 21, {"empty": 1, "null in filter": 2}),
            ("q == None or q > .55", 17, {"empty": 1, "filtered": 6}),
            ("len(text) > 9 or q > .5", 23, {"empty": 1}),
        ):
            record, path = read(**options, filter=expression, share=1.0)
            assert len(texts_of(path)) == kept
            found = [Counter(split["dropped"]) for split in record["splits"].values()]
            assert sum(found, Counter()) == dropped

    @pytest.mark.parametrize(
        ("expression", "message"),
        [
            (
                "lang == 'en'",
                "line 1 has no field 'lang', which the filter \"lang == 'en'\" reads; its fields",
            ),
            ("text > 3", "the filter 'text > 3' fails on "),
            ("len(text)", "the filter 'len(text)' gives 1 on "),
            ("open('x') == 1", "fails on "),
            ("1 / len(text[1:]) > 1", "the filter '1 / len(text[1:]) > 1' fails on "),
        ],
    )
    def test_that_fail(self, fails, tmp_path, expression, message):
        path = write_lines(tmp_path / "a.jsonl", ["x"])
        assert message in fails(source="files", paths=[str(path)], filter=expression)


class TestBadLines:
    @pytest.fixture
    def path(self, tmp_path):
        path = write_lines(tmp_path / "a.jsonl", map(sentence, range(40)))
        path.write_bytes(path.read_bytes() + b'{"text": \n[1]\n{"text": "caf\xe9"}\n')
        return path

    @pytest.mark.parametrize("allowed", ["skip", 3])
    def test_are_skipped_and_counted(self, read, path, allowed):
        record, documents = read(source="files", paths=[str(path)], on_bad_lines=allowed)
        assert len(texts_of(documents)) == 40
        assert sum(s["dropped"].get("bad line", 0) for s in record["splits"].values()) == 3

    def test_are_an_error_beyond_the_number_allowed(self, fails, path):
        message = fails(source="files", paths=[str(path)], on_bad_lines=2)
        assert "more bad lines than the 2 that on_bad_lines allows: " in message
        assert f"{path}, line 43 is not UTF-8" in message

    @pytest.mark.parametrize("value", ["[" * 100_000, "9" * 5_000])
    def test_beyond_what_python_reads(self, fails, tmp_path, value):
        path = tmp_path / "a.jsonl"
        path.write_text(f'{{"text": "x", "meta": {value}}}\n')
        message = fails(source="files", paths=[str(path)])
        assert f"{path}, line 1 is JSON that Python cannot read: " in message

    def test_are_counted_over_all_parts(self, read, path):
        options = {"source": "files", "paths": [str(path)], "on_bad_lines": 4}
        paths = [read(name="web", part=Part((), k, 2), **options)[1] for k in range(2)]
        with pytest.raises(
            DataError, match=r"6 bad lines in 2 parts; on_bad_lines allows 4\. See the"
        ):
            check_domain(paths)


def test_parts_of_a_dataset_give_the_whole(read, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "data").mkdir()
    write_lines(tmp_path / "data/train.jsonl", map(sentence, range(40)))
    options = {"source": "huggingface", "dataset": str(tmp_path / "data"), "num_parts": 3}
    whole = texts_of(read(**options)[1], "train")
    records = [read(part=Part((), k, 3), **options) for k in range(3)]
    assert [len(record["listing"]) for record, _ in records] == [1, 0, 0]
    found = []
    for number in range(3):
        found += texts_of(read(part=Part((), number, 3), **options)[1], "train")
    assert found == whole


def test_near_duplicates_of_validation_text_alone(tmp_path, read):
    """The search in arrays finds what the search one by one finds, for training documents."""
    train, validation = by_split()
    copies = [near(text, n) for n, text in enumerate([*validation, *train] * 2)]
    write_lines(tmp_path / "a.jsonl", [*train, *validation, *copies])
    _, path = read(share=0.5, source="files", paths=[str(tmp_path / "a.jsonl")])
    tables = {}
    for mode in ("validation", "all", "none"):
        find_duplicates({"web": [path]}, near=mode, output=tmp_path / f"{mode}.parquet")
        tables[mode] = pq.read_table(tmp_path / f"{mode}.parquet").to_pylist()
    assert tables["none"] == []
    found = {row["id"] for row in tables["validation"]}
    assert {row["split"] for row in tables["validation"]} == {"train"}
    assert {row["kept_split"] for row in tables["validation"]} == {"validation"}
    expected = {
        row["id"]
        for row in tables["all"]
        if row["split"] == "train" and row["kept_split"] == "validation"
    }
    assert expected
    assert expected <= found


def test_signatures_estimate_the_jaccard_similarity():
    """A text of 1,000 words has 996 shingles of five; its first 500 words have 496."""
    words = sentence(1, 1000).split()
    fresh = sentence(2, 1000).split()
    texts = [
        " ".join(words),
        " ".join(words[:500] + fresh[500:]),
        " ".join(words[:900] + fresh[900:]),
        " ".join(fresh),
    ]
    rows = [np.frombuffer(each, dtype="<u4") for each in signatures(texts)]
    found = [float(np.mean(rows[0] == row)) for row in rows]
    for estimate, shared in zip(found, (996, 496, 896, 0), strict=True):
        assert estimate == pytest.approx(shared / (2 * 996 - shared), abs=0.12)
    assert signatures(["too short"]) == signatures(["too  short\n"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("the cat sat, on", ["the", "cat", "sat,", "on"]),
        ("café naïve über", ["café", "naïve", "über"]),
        ("한국어 띄어쓰기", ["한국어", "띄어쓰기"]),
        ("我爱机器学习。", ["我", "爱", "机", "器", "学", "习", "。"]),
        ("GPT-4 は強い。", ["GPT-4", "は", "強", "い", "。"]),
        ("ฉันรัก ไทย", ["ฉ", "ั", "น", "ร", "ั", "ก", "ไ", "ท", "ย"]),
        ("ខ្ញុំ ສະບາຍ မြန်", [*"ខ្ញុំ", *"ສະບາຍ", *"မြန်"]),
    ],
)
def test_a_word_is_a_character_where_a_script_has_no_spaces(text, words):
    assert _words(text) == words


@pytest.mark.parametrize("alphabet", [(0x4E00, 3000), (0x3041, 80), (0x0E01, 46), (0x1780, 50)])
def test_near_duplicates_in_scripts_without_spaces(alphabet):
    """Every 50th of 1,000 characters replaced: of 996 shingles 100 differ, J = 896 / 1096."""
    first, count = alphabet
    places = first + np.random.default_rng(0).integers(0, count, 1000)
    letters = [chr(place) for place in places]
    changed = ["x" if place % 50 == 25 else letter for place, letter in enumerate(letters)]
    pair = [
        np.frombuffer(each, dtype="<u4")
        for each in signatures(["".join(letters), "".join(changed)])
    ]
    assert np.mean(pair[0] == pair[1]) == pytest.approx(896 / 1096, abs=0.1)


def near(text, number):
    """Return the text with one word in sixty replaced: a Jaccard similarity of 0.84."""
    words = text.split()
    words[5] = f"other{number}"
    return " ".join(words)


@pytest.fixture
def compare(read, tmp_path):
    """Read domains given as {name: (share, texts)}; return them without duplicates, by split."""

    def run(domains):
        paths = {}
        for name, (share, texts) in domains.items():
            write_lines(tmp_path / f"{name}.jsonl", texts)
            _, paths[name] = read(
                name=name, share=share, source="files", paths=[str(tmp_path / f"{name}.jsonl")]
            )
        output = tmp_path / "duplicates.parquet"
        find_duplicates({n: [p] for n, p in paths.items()}, near="all", output=output)
        kept = {}
        for name, path in paths.items():
            for split in ("train", "validation"):
                dropped = dropped_ids(output, name)
                kept[name, split] = set(read_texts(path, split=split, dropped=dropped))
        return kept, pq.read_table(output).to_pylist()

    return run


def by_split(share=0.5):
    texts = [sentence(number) for number in range(60)]
    train = [text for text in texts if split_of(document_id(text), share) == "train"]
    return train, [text for text in texts if text not in train]


def test_no_training_text_repeats_validation_text(compare):
    """The same text falls in the same split, except where a domain is all validation."""
    train, validation = by_split()
    kept, rows = compare({"a": (0.5, train + validation), "v": (1.0, [train[0], train[1]])})
    assert kept["v", "validation"] == {train[0], train[1]}
    assert kept["a", "train"] == set(train[2:])
    assert kept["a", "validation"] == set(validation)
    assert [(row["domain"], row["kept_domain"], row["kind"]) for row in rows] == [
        ("a", "v", "exact")
    ] * 2


def test_near_duplicates_go_in_favour_of_validation(compare):
    train, validation = by_split()
    copies = [near(validation[0], number) for number in range(20)]
    in_train = [text for text in copies if split_of(document_id(text), 0.5) == "train"]
    kept, rows = compare({"a": (0.5, [*train, *copies]), "b": (0.5, [*train[:1], *validation])})
    survivors = {text for text in copies if text in kept["a", "validation"]}
    assert in_train
    assert len(survivors) == 1
    assert kept["a", "train"] == set(train)
    # An exact copy in a later domain goes; of the near copies in validation one is kept.
    assert kept["b", "train"] == set()
    assert kept["b", "validation"] == set(validation[1:])
    assert Counter(row["kind"] for row in rows) == {"near": 20, "exact": 1}
    assert all(row["similarity"] >= 0.7 for row in rows)


def test_different_texts_are_no_duplicates(compare):
    train, validation = by_split()
    kept, rows = compare({"a": (0.5, train + validation), "b": (1.0, [sentence(99)])})
    assert rows == []
    assert kept["a", "train"] == set(train)


def test_documents_files_have_ids_and_signatures(read, tmp_path):
    write_lines(tmp_path / "a.jsonl", map(sentence, range(600)))
    _, path = read(source="files", paths=[str(tmp_path / "a.jsonl")])
    table = read_columns(path, "id", "signature", "num_bytes")
    assert table.num_rows == 600
    texts = texts_of(path)
    assert set(table["id"].to_pylist()) == {document_id(text) for text in texts}
    assert sum(table["num_bytes"].to_pylist()) == sum(map(len, texts))
    assert table["signature"].to_pylist()[0] in set(signatures(texts))


def test_a_file_that_is_no_documents_file(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": ["x"]}), path)
    with pytest.raises(DataError, match=r"its footer has no checksum, so .* Delete it and"):
        read_record(path)
    write_table(pd.DataFrame({"id": ["x"]}), path)
    with pytest.raises(DataError, match=r"has no record mixlaws\.record: this .* Delete it and"):
        read_record(path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DataError, match="is damaged and cannot be read: "):
        read_record(path)
