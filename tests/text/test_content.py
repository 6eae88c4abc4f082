"""What a file holds: read if it is text, else named for what it is, with a remedy that fits."""

import bz2
import gzip
import io
import json
import lzma
import random
import tarfile
import zipfile

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from text_workplace import sentence, texts_of, write_lines

from mixlaws.errors import DataError
from mixlaws.text import formats, selection
from mixlaws.text.formats import read_records
from mixlaws.text.parts import Part, SourceFile
from mixlaws.text.reading import read_part

LINES = b"".join(json.dumps({"text": sentence(n)}).encode() + b"\n" for n in range(20))
TEXTS = sorted(sentence(n) for n in range(20))
MARK = b"\xef\xbb\xbf"


def zipped(data):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a.jsonl", data)
    return buffer.getvalue()


def tarred(data):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        file.addfile(tarfile.TarInfo("a.jsonl"), io.BytesIO(data))
    return buffer.getvalue()


def zstandard(data):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as file:
        file.write(data)
    return sink.getvalue().to_pybytes()


def parquet(texts=("x",)):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": list(texts)}), sink)
    return sink.getvalue().to_pybytes()


def arrow(texts):
    sink = pa.BufferOutputStream()
    table = pa.table({"text": texts})
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)
    return sink.getvalue().to_pybytes()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
WIDE = '{"text": "a text"}\n' * 20


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.jsonl", gzip.compress(LINES), "is gzip, although it ends in .jsonl. Rename it to .js"),
        ("a.txt", gzip.compress(LINES), "is gzip, although it ends in .txt. Rename it to .jsonl."),
        ("a.jsonl", zstandard(LINES), "is Zstandard, although it ends in .jsonl. Rename it to "),
        ("a.jsonl.gz", zstandard(LINES), "is Zstandard, although it ends in .jsonl.gz. Rename"),
        ("a.jsonl.zst", gzip.compress(LINES), "is gzip, although it ends in .jsonl.zst. Rename"),
        ("a.jsonl", parquet(), "is Parquet, although it ends in .jsonl. Rename it to .parquet"),
        ("a.arrow", parquet(), "is Parquet, although it ends in .arrow. Rename it to .parquet"),
        ("a.parquet", LINES, "is not Parquet but plain text. Rename it, to .jsonl if it holds"),
        ("a.jsonl.gz", LINES, "is not gzip but plain text. Rename it, to .jsonl if it holds JSON"),
        ("a.parquet", bytes(99), "is not Parquet but something else (its first bytes are b'\\x00"),
        ("a.jsonl", zipped(LINES), "is a zip archive, although it ends in .jsonl. Unpack it"),
        ("a.txt", bz2.compress(LINES), "is bzip2, although it ends in .txt. Unpack it first: `b"),
        ("a.jsonl", lzma.compress(LINES), "is xz, although it ends in .jsonl. Unpack it first"),
        ("a.txt", tarred(LINES), "is a tar archive, although it ends in .txt. Unpack it first"),
        ("a.txt", b"%PDF-1.7\n%\xe2", "is a PDF document, although it ends in .txt. Extract its"),
        ("a.parquet", LFS, "is a Git LFS pointer, not the file itself, although it ends in .par"),
        ("a.txt", LFS, "is a Git LFS pointer, not the file itself, although it ends in .txt. Run"),
        ("a.jsonl.gz", gzip.compress(gzip.compress(LINES)), ", unpacked, is gzip again. Rename"),
        ("a.jsonl.gz", gzip.compress(tarred(LINES)), ", unpacked, is a tar archive again. Unp"),
        ("a.jsonl.gz", b"", "has 0 bytes, which no gzip file has. Copy it again"),
        ("a.jsonl.zst", b"", "has 0 bytes, which no Zstandard file has. Copy it again"),
        ("a.parquet", b"", "has 0 bytes, which no Parquet file has. Copy it again"),
        ("a.arrow", b"", "has 0 bytes, which no Arrow file has. Copy it again"),
        ("a.jsonl", WIDE.encode("utf-16"), "is UTF-16, not UTF-8. Convert it: `iconv -f UTF-16 "),
        ("a.txt", WIDE.encode("utf-16-le"), "is UTF-16LE without a byte-order mark, not UTF-8. "),
        ("a.txt", WIDE.encode("utf-16-be"), "is UTF-16BE without a byte-order mark, not UTF-8. "),
        ("a.txt", WIDE.encode("utf-32-le"), "is UTF-32LE without a byte-order mark, not UTF-8. "),
        ("a.txt", WIDE.encode("utf-32"), "is UTF-32, not UTF-8. Convert it: `iconv -f UTF-32 "),
        (
            "a.jsonl.gz",
            gzip.compress(WIDE.encode("utf-16-le")),
            "is UTF-16LE without a byte-order mark, not UTF-8. Convert it: `iconv -f UTF-16LE -t",
        ),
        ("a.json", b'[{"text": "a"}, {"text": "b"}]', "is one JSON array, not JSON lines. Write"),
        ("a.jsonl", b'[\n  {"text": "a"}\n]', "is one JSON array, not JSON lines. Write one obj"),
        ("a.json", b'{\n  "text": "a"\n}\n', "is JSON over several lines, not JSON lines. Write"),
        ("a.jsonl", LINES.replace(b"\n", b"\r"), "ends its lines with CR alone. Write LF: `tr '"),
        ("a.txt", b"text" + bytes(4096), "has 4,096 NUL characters in 4,100, as files have that"),
        ("a.jsonl", LINES + bytes(99), "line 21 consists of 99 NUL bytes, as files have that we"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_other_content_is_named(fails, tmp_path, name, data, words):
    (tmp_path / name).write_bytes(data)
    message = fails(source="files", paths=[str(tmp_path / "[a-z].*")])
    assert f"{tmp_path / name}{words if words[0] == ',' else ''}" in message
    assert words in message


def test_every_reader_strips_a_byte_order_mark(read, tmp_path):
    marked = MARK.decode() + sentence(0)
    files = {"a.txt": MARK + sentence(0).encode(), "b.jsonl": MARK + LINES, "c.jsonl": LINES}
    files["d.jsonl"] = LINES + MARK + LINES  # two files joined
    files["e.jsonl"] = json.dumps({"text": marked}).encode()
    files["f.json"] = LINES  # lines in a file that is called .json
    files["g.parquet"] = parquet([marked])
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    record, path = read(source="files", paths=[str(tmp_path / "[a-z].*")])
    assert sorted(texts_of(path)) == TEXTS
    dropped = [split["dropped"] for split in record["splits"].values()]
    assert sum(each.get("exact duplicate", 0) for each in dropped) == 4 * 20 + 3
    assert not any(each.get("bad line") for each in dropped)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), pa.binary()])
@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_rows_that_are_not_utf8_are_bad_lines(read, fails, tmp_path, suffix, kind):
    values = pa.array([sentence(n).encode() for n in range(150)] + [b"caf\xe9"])
    values = values if kind == pa.binary() else values.cast(kind, safe=False)
    table = pa.table({"text": values})
    path = tmp_path / f"a{suffix}"
    if suffix == ".parquet":
        pq.write_table(table, path, row_group_size=70)
    else:
        with pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table)
    message = fails(source="files", paths=[str(path)])
    assert f"{path}, row 151" in message
    assert "is not UTF-8: byte 4 is 0xe9. Repair the row, or set on_bad_lines" in message
    record, found = read(source="files", paths=[str(path)], on_bad_lines=1)
    assert len(texts_of(found)) == 150
    assert sum(split["dropped"].get("bad line", 0) for split in record["splits"].values()) == 1


def test_a_damaged_row_group_is_named_with_its_cause(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [sentence(n) for n in range(200)]}), path, row_group_size=50)
    damaged = bytearray(path.read_bytes())
    start = pq.ParquetFile(path).metadata.row_group(2).column(0).data_page_offset
    damaged[start : start + 40] = bytes(40)
    path.write_bytes(damaged)
    with pytest.raises(Exception, match=r"row group 3 of 4 \(after row 100\), cannot be") as caught:
        list(read_records(SourceFile(str(path), len(damaged)), ["text"]))
    assert isinstance(caught.value.__cause__, (OSError, pa.ArrowException))


def test_a_document_above_the_limit_is_named_and_can_be_skipped(read, fails, tmp_path, monkeypatch):
    for module in (formats, selection):
        monkeypatch.setattr(module, "MAX_DOCUMENT_BYTES", 1000)
    monkeypatch.setattr("mixlaws.text.records.MAX_DOCUMENT_BYTES", 1000)
    monkeypatch.setattr(formats, "_MAX_LINE_BYTES", 4000)
    path = write_lines(tmp_path / "a.jsonl", [*map(sentence, range(20)), "é" * 501, "x" * 5000])
    message = fails(source="files", paths=[str(path)])
    assert (
        f"{path}, line 21 has 1,002 bytes; a document may have 1,000, because its memory grows "
        "with it. Divide it (a .txt file is one document; JSON lines hold one a line), or set"
    ) in message
    record, found = read(source="files", paths=[str(path)], on_bad_lines=2)
    assert sum(split["num_documents"] for split in record["splits"].values()) == 20
    found.unlink()
    (tmp_path / "b.txt").write_text("word " * 300)
    assert "b.txt has 1,500 bytes; a doc" in fails(source="files", paths=[str(tmp_path / "b*")])


def test_one_document_a_line_gets_the_command(fails, tmp_path):
    (tmp_path / "c.txt").write_text("one\ntwo\n")
    message = fails(source="files", paths=[str(tmp_path / "[a-z].*")], share=0.2)
    assert message.endswith(
        "A .txt file is one document; if each of its lines is one, write JSON lines: "
        "`jq -cR '{text: .}' FILE.txt > FILE.jsonl`"
    )


@pytest.mark.parametrize("field", ["text", "messages"])
def test_chat_data_gets_a_hint(fails, tmp_path, field):
    row = {"messages": [{"role": "user", "content": "hi"}], "id": 1}
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    for suffix in ("jsonl", "parquet"):
        message = fails(source="files", paths=[str(tmp_path / f"*.{suffix}")], text_field=field)
        assert (
            "'messages' looks like chat data: join its turns into one text with your model's "
            "template first (docs/domains.md), and name that field as text_field"
        ) in message


class TestHuggingFace:
    @pytest.fixture(autouse=True)
    def cache(self, tmp_path, monkeypatch):
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")

    @pytest.mark.parametrize("streaming", [False, True])
    def test_a_schema_that_changes(self, fails, tmp_path, streaming):
        (tmp_path / "data").mkdir()
        for number, meta in enumerate([{"a": "x"}, {"a": "x", "b": "y"}]):
            rows = [json.dumps({"text": sentence(n), "meta": meta}) for n in range(20)]
            (tmp_path / f"data/{number}.jsonl").write_text("\n".join(rows))
        folder = str(tmp_path / "data")
        message = fails(source="huggingface", dataset=folder, streaming=streaming)
        assert f"dataset '{folder}' (subset None, split 'train') cannot be read" in message
        assert "Couldn't cast array of type struct<a: string, b: string>" in message
        assert message.endswith(
            "The records differ in their fields or types. Read the files as they are, each record "
            f"by itself: {{source: files, paths: [{folder}/**/*.jsonl]}}"
        )

    @pytest.mark.parametrize("streaming", [False, True])
    def test_what_save_to_disk_wrote(self, read, fails, tmp_path, streaming):
        saved = datasets.Dataset.from_dict({"text": TEXTS, "n": range(20)})
        saved.save_to_disk(tmp_path / "one")
        datasets.DatasetDict({"dev": saved}).save_to_disk(tmp_path / "splits")
        for name, split in (("one", "train"), ("splits", "dev")):
            options = {"source": "huggingface", "dataset": str(tmp_path / name), "split": split}
            _, path = read(**options, streaming=streaming)
            assert sorted(texts_of(path)) == TEXTS
        path.unlink()
        message = fails(source="huggingface", dataset=str(tmp_path / "splits"))
        assert "which save_to_disk wrote, has no split 'train'. Set split to one of dev" in message

    def test_a_row_that_is_not_utf8(self, read, fails, tmp_path):
        texts = pa.array([*[text.encode() for text in TEXTS], b"\xff"])
        (tmp_path / "data").mkdir()
        table = pa.table({"text": texts.cast(pa.string(), safe=False)})
        pq.write_table(table, tmp_path / "data/a.parquet")
        options = {"source": "huggingface", "dataset": str(tmp_path / "data")}
        assert f"{tmp_path}/data, row 21 is not UTF-8: byte 1 is 0xff. Repair" in fails(**options)
        assert len(texts_of(read(**options, on_bad_lines="skip")[1])) == 20


DAMAGED = {
    "a.jsonl": LINES,
    "a.jsonl.gz": gzip.compress(LINES, mtime=0),
    "a.jsonl.zst": zstandard(LINES),
    "a.parquet": parquet(TEXTS),
    "a.arrow": arrow(TEXTS),
    "a.txt": "é".encode() * 500,
}


@pytest.mark.parametrize("name", DAMAGED)
def test_whatever_is_damaged_there_is_one_error_or_none(tmp_path, name):
    """Bytes changed, cut off, zeroed and inserted: no exception of a library comes through."""
    draw = random.Random(name)
    path, errors = tmp_path / name, []
    for _ in range(60):
        data = bytearray(DAMAGED[name])
        place = draw.randrange(len(data))
        match draw.randrange(4):
            case 0:
                del data[place:]
            case 1:
                for _ in range(draw.choice([1, 3, 20])):
                    data[draw.randrange(len(data))] = draw.randrange(256)
            case 2:
                data[place : place + 64] = bytes(64)
            case 3:
                data[place:place] = draw.randbytes(30)
        path.write_bytes(data)
        for allowed in ("error", "skip"):
            options = {"source": "files", "paths": [str(path)], "on_bad_lines": allowed}
            try:
                read_part("web", options, Part(), validation_share=1.0, output=tmp_path / "out")
            except DataError as error:
                errors.append(str(error))
    assert len(errors) > 20
    assert all(error.startswith("domain 'web': ") for error in errors)
