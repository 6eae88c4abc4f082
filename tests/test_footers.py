"""Footers of Parquet files: what is changed in ours is noticed, and in others what can be."""

import random

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from text_workplace import sentence, write_lines

from mixlaws.errors import DataError
from mixlaws.footers import check_footer
from mixlaws.tables import read_table, write_table
from mixlaws.text.documents import read_record
from mixlaws.text.formats import read_records
from mixlaws.text.parquet import read_key
from mixlaws.text.parts import Part, SourceFile
from mixlaws.text.reading import read_part

OF_A_TABLE = "Delete it and rerun the rule that writes it."


def footer_of(data):
    """Return the place of every byte of a Parquet file's footer, with its length and magic."""
    return range(len(data) - 8 - int.from_bytes(data[-8:-4], "little"), len(data))


def flipped(data, place, bit):
    changed = bytearray(data)
    changed[place] ^= 1 << bit
    return bytes(changed)


def test_every_flipped_bit_of_a_footer_is_named(tmp_path):
    path = tmp_path / "losses.parquet"
    write_table(pd.DataFrame({"size": ["1M", "2M"], "loss": [3.5, 3.25]}), path)
    data, draw = path.read_bytes(), random.Random(0)
    assert read_table(path, ["loss"])["loss"].tolist() == [3.5, 3.25]
    for place in footer_of(data):
        path.write_bytes(flipped(data, place, draw.randrange(8)))
        with pytest.raises(ValueError, match=r"^its (footer|end) "):
            check_footer(path)
    with pytest.raises(DataError) as caught:
        read_table(path, ["loss"])
    words = "its end is not that of a Parquet file: it was cut off or overwritten"
    assert str(caught.value) == f"{path} is corrupt ({words}). {OF_A_TABLE}"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: data[:-1], "its end is not that of a Parquet file: it was cut off or "
         "overwritten"),
        (lambda _: b"", "its end is not that of a Parquet file: it was cut off or overwritten"),
        (lambda data: data.replace(b"loss", b"lost"), "its footer differs from its checksum"),
        (lambda data: data.replace(b"mixlaws.footer", b"mixlaws.f00ter"), "its footer has no "
         "checksum, so this program did not write it as it is"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["losses.parquet", "replicates.parquet"])
def test_tables(tmp_path, name, spoil, words):
    path = tmp_path / name
    write_table(pd.DataFrame({"loss": [3.5]}), path)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError) as caught:
        read_table(path, ["loss"])
    assert str(caught.value) == f"{path} is corrupt ({words}). {OF_A_TABLE}"


def test_equal_tables_are_equal_bytes(tmp_path):
    table = pd.DataFrame({"size": ["1M"], "loss": [np.pi]})
    for name in "ab":
        write_table(table, tmp_path / f"{name}.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    # Any reader takes it.
    assert pd.read_parquet(tmp_path / "a.parquet")["loss"].tolist() == [np.pi]


def test_documents(tmp_path):
    """Their record is in the footer: a changed count would be a wrong natural mixture."""
    write_lines(tmp_path / "a.jsonl", map(sentence, range(20)))
    options = {"source": "files", "paths": [str(tmp_path / "a.jsonl")]}
    path = tmp_path / "00000.parquet"
    read_part("web", options, Part(), validation_share=0.5, output=path)
    assert read_record(path)["domain"] == "web"
    data = path.read_bytes()
    assert b'"domain": "web"' in data
    path.write_bytes(data.replace(b'"domain": "web"', b'"domain": "wen"'))
    with pytest.raises(DataError) as caught:
        read_key(path, b"mixlaws.record")
    assert str(caught.value) == (
        f"{path} is damaged and cannot be read: its footer differs from its checksum. Delete it "
        "and run again"
    )


def rows_of(path):
    file = SourceFile(str(path), path.stat().st_size)
    return [row for _, _, row in read_records(file, ["text"])]


def test_footers_of_others(tmp_path):
    """No checksum, but a footer that contradicts itself is not believed."""
    path = tmp_path / "a.parquet"
    texts = [f"text number {number} " * 5 for number in range(200)]
    pq.write_table(pa.table({"id": range(200), "text": texts}), path, row_group_size=70)
    data, draw, good = path.read_bytes(), random.Random(0), rows_of(path)
    assert len(good) == 200
    outcomes = {"named": 0, "no difference": 0, "other text": 0}
    for place in [*footer_of(data)][::3]:
        path.write_bytes(flipped(data, place, draw.randrange(8)))
        try:
            same = rows_of(path) == good
            outcomes["no difference" if same else "other text"] += 1
        except DataError as error:
            assert str(path) in str(error)  # noqa: PT017 (it is raised for some bits only)
            outcomes["named"] += 1
    assert outcomes["named"] > 100
    assert outcomes["other text"] <= 1  # a value's type, which nothing else states


def test_a_footer_that_states_other_numbers_of_rows(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["x"] * 60}), path, row_group_size=30)
    data = path.read_bytes()
    # Thrift's compact protocol: field 3 of the file, its rows, is 60, written as 2 * 60.
    first = data.index(b"\x16\x78", footer_of(data)[0])
    path.write_bytes(data[: first + 1] + b"\x7a" + data[first + 2 :])
    with pytest.raises(DataError) as caught:
        rows_of(path)
    assert str(caught.value) == (
        f"{path} cannot be read: its footer states 61 rows, and 60 in its row groups. Check the "
        "file and its permissions, or copy it again"
    )
